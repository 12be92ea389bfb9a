//! A client as browsers are: it keeps cookies, sends its origin, and does not follow redirects unasked.

use std::fmt::Write;

use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder};

use super::client::{Client, PASSWORD, Reply, send};

/// One browser profile.
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
}

/// `application/x-www-form-urlencoded`
fn form_body(fields: &[(&str, &str)]) -> String {
    let pairs =
        fields.iter().map(|(name, value)| format!("{}={}", percent(name.as_bytes()), percent(value.as_bytes())));
    pairs.collect::<Vec<_>>().join("&")
}

/// Bytes, percent-encoded.
pub(crate) fn percent(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
    }
    text
}

/// The text of a percent-encoded address.
pub(crate) fn unpercent(text: &str) -> String {
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
    pub(crate) fn new(base: &str) -> Self {
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().cookie_store(true).redirect(redirects).build().unwrap();
        Self { http, base: base.to_owned() }
    }

    /// A profile signed in as `user`, through the original application's form.
    pub(crate) async fn signed_in(base: &str, user: &Client) -> Self {
        let browser = Self::new(base);
        let reply = browser.form("/auth/login", &[("email", &user.email), ("password", PASSWORD)]).await;
        assert!(matches!(reply.status, 302 | 303), "{reply:?}");
        let me = browser.get("/api/v1/me").await;
        assert!(me.status == 200 && me.text.contains(&user.email), "not signed in: {me:?}");
        browser
    }

    /// A request with cookies and nothing else.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request as a page of ours sends it.
    pub(crate) fn own(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("origin", &self.base).header("sec-fetch-site", "same-origin")
    }

    /// A request as someone else's page sends it.
    pub(crate) fn foreign(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site")
    }

    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path).header("accept", "text/html,*/*;q=0.8")).await
    }

    /// Sends one of our forms.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.own(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        send(request.body(form_body(fields))).await
    }

    /// Sends one of our forms with a file.
    pub(crate) async fn multipart(&self, path: &str, form: Form) -> Reply {
        send(self.own(Method::POST, path).multipart(form)).await
    }
}
