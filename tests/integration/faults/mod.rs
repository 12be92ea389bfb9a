//! The 24 faults of the original application, each a test that fails if it comes back.

mod bids;
mod doors;
mod ends;
mod streams;

/// The value of an attribute of the first HTML element that contains `mark`.
pub(crate) fn attribute(html: &str, mark: &str, name: &str) -> Option<String> {
    let element = html.split('<').find(|element| element.split('>').next().is_some_and(|tag| tag.contains(mark)))?;
    let tag = element.split('>').next()?;
    let value = tag.split_once(&format!(" {name}=\""))?.1;
    Some(value.split('"').next()?.to_owned())
}

/// The page's own scripts, inline and linked, as one text.
pub(crate) async fn scripts(browser: &crate::harness::Browser, html: &str) -> String {
    let mut all = String::new();
    for script in html.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        all.push_str(rest.split("</script").next().unwrap_or_default());
        if let Some((_, source)) = tag.split_once("src=\"") {
            let path = source.split('"').next().unwrap();
            assert!(path.starts_with('/') && !path.starts_with("//"), "a script from elsewhere: {path}");
            let reply = browser.get(path).await;
            assert_eq!(reply.status, 200, "{path}");
            all.push_str(&reply.text);
        }
    }
    all
}
