//! The 24 faults of the original application, each a test that fails if it comes back.

mod bids;
mod doors;
mod ends;
mod streams;

use crate::harness::Browser;

/// The value of an attribute of the first HTML element that contains `mark`.
pub(crate) fn attribute(html: &str, mark: &str, name: &str) -> Option<String> {
    let element = html.split('<').find(|element| element.split('>').next().is_some_and(|tag| tag.contains(mark)))?;
    let tag = element.split('>').next()?;
    let value = tag.split_once(&format!(" {name}=\""))?.1;
    Some(value.split('"').next()?.to_owned())
}

/// The text in the first HTML element whose tag contains `mark`, up to the next tag.
pub(crate) fn text_of<'a>(html: &'a str, mark: &str) -> Option<&'a str> {
    let mut elements = html.split('<').filter_map(|element| element.split_once('>'));
    elements.find(|(tag, _)| tag.contains(mark)).map(|(_, text)| text)
}

/// The page's own scripts, inline and linked, with all that they import, as one text.
pub(crate) async fn scripts(browser: &Browser, html: &str) -> String {
    let (mut all, mut found) = (String::new(), Vec::new());
    for script in html.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        all.push_str(rest.split("</script").next().unwrap_or_default());
        if let Some((_, source)) = tag.split_once("src=\"") {
            found.push(source.split('"').next().unwrap().to_owned());
        }
    }
    let mut next = 0;
    while next < found.len() {
        let path = found[next].clone();
        assert!(path.starts_with('/') && !path.starts_with("//"), "a script from elsewhere: {path}");
        let reply = browser.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        for import in imports(&reply.text) {
            let folder = path.rsplit_once('/').unwrap().0;
            let import = import.strip_prefix("./").map_or(import.to_owned(), |name| format!("{folder}/{name}"));
            if !found.contains(&import) {
                found.push(import);
            }
        }
        all.push_str(&reply.text);
        next += 1;
    }
    all
}

/// What a module imports: `from './x.js'` or `import './x.js'`, with either quote.
fn imports(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in ["from ", "import "] {
        for (at, _) in script.match_indices(word) {
            let rest = &script[at + word.len()..];
            let quote = rest.chars().next().filter(|letter| matches!(letter, '\'' | '"'));
            let name = quote.and_then(|quote| rest[1..].split(quote).next());
            found.extend(name.filter(|name| has_script_name(name)));
        }
    }
    found
}

fn has_script_name(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "js")
}
