//! A client as browsers are: it keeps cookies, sends its origin, and does not follow redirects unasked.

use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder};

use super::client::{Client, Reply, send};

/// One browser profile.
pub struct Browser {
    http: reqwest::Client,
    base: String,
}

/// `application/x-www-form-urlencoded`
pub fn form_body(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The text of a percent-encoded address.
pub fn unpercent(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

impl Browser {
    /// A new profile without cookies.
    pub fn new(base: &str) -> Self {
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().cookie_store(true).redirect(redirects).build().unwrap();
        Self { http, base: base.to_owned() }
    }

    /// A profile signed in as `user`, through the original application's form.
    pub async fn signed_in(base: &str, user: &Client) -> Self {
        let browser = Self::new(base);
        let reply = browser.form("/auth/login", &[("email", &user.email), ("password", user.password())]).await;
        assert!(matches!(reply.status, 302 | 303), "{reply:?}");
        let me = browser.get("/api/v1/me").await;
        assert!(me.status == 200 && me.text.contains(&user.email), "not signed in: {me:?}");
        browser
    }

    /// A request with cookies and nothing else.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request as a page of ours sends it.
    pub fn own(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("origin", &self.base).header("sec-fetch-site", "same-origin")
    }

    /// A request as someone else's page sends it.
    pub fn foreign(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site")
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path).header("accept", "text/html,*/*;q=0.8")).await
    }

    /// Sends one of our forms.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.own(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        send(request.body(form_body(fields))).await
    }

    /// Sends one of our forms with a file.
    pub async fn multipart(&self, path: &str, form: Form) -> Reply {
        send(self.own(Method::POST, path).multipart(form)).await
    }
}
