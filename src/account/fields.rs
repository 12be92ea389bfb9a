//! What people may type: the checks of single fields, each with words for the one who typed.
//!
//! A check either returns the text as it is to be kept (trimmed) or says what would be right. Nothing
//! here knows in which form or body the field stood.

use crate::limits::{EMAIL_BYTES_MAX, NICK_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};

/// Bytes of an address before its `@` (RFC 5321, 4.5.3.1.1).
const EMAIL_LOCAL_BYTES_MAX: usize = 64;
/// Bytes between two dots of a host name (RFC 1035, 2.3.4).
const HOST_LABEL_BYTES_MAX: usize = 63;

/// One line of 1 to `chars_max` characters, trimmed.
///
/// # Errors
/// What would be right.
pub fn line(text: &str, chars_max: usize) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max {
        return Err(format!("must have 1 to {chars_max} characters"));
    }
    if text.chars().any(is_unprintable) {
        return Err("must be one line of printable characters".to_owned());
    }
    if text.chars().all(is_blank) {
        return Err("must have a visible character".to_owned());
    }
    Ok(text)
}

/// At most `chars_max` characters on any number of lines, trimmed; may be empty.
///
/// # Errors
/// What would be right.
pub fn paragraphs(text: &str, chars_max: usize) -> Result<&str, String> {
    let text = text.trim();
    if text.chars().count() > chars_max {
        return Err(format!("must have at most {chars_max} characters"));
    }
    if text.chars().any(|each| is_unprintable(each) && !matches!(each, '\n' | '\r' | '\t')) {
        return Err("must be printable characters".to_owned());
    }
    Ok(text)
}

/// Control characters, and those that turn or hide the text around them: with them one name can look
/// like another.
fn is_unprintable(each: char) -> bool {
    each.is_control()
        || matches!(each, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Characters that show nothing by themselves: space, the empty Braille pattern, and Unicode's
/// `Default_Ignorable_Code_Point`s.
fn is_blank(each: char) -> bool {
    each.is_whitespace()
        || is_unprintable(each)
        || matches!(each, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(each, '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
        || matches!(each, '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}')
        || matches!(each, '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// An e-mail address of the form that browsers accept in `<input type=email>` (WHATWG HTML,
/// "valid e-mail address").
///
/// # Errors
/// What would be right.
pub fn email(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.len() > EMAIL_BYTES_MAX {
        return Err(format!("must have at most {EMAIL_BYTES_MAX} bytes"));
    }
    match text.split_once('@') {
        Some((local, host)) if is_local_part(local) && host.split('.').all(is_host_label) => Ok(text),
        _ => Err("must be an e-mail address, such as ann@example.com".to_owned()),
    }
}

fn is_local_part(local: &str) -> bool {
    (1..=EMAIL_LOCAL_BYTES_MAX).contains(&local.len())
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte))
}

fn is_host_label(label: &str) -> bool {
    (1..=HOST_LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A password: any characters, only their number is checked (NIST SP 800-63B, 5.1.1.2).
///
/// # Errors
/// What would be right.
pub fn password(text: &str) -> Result<&str, String> {
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count()) {
        Ok(text)
    } else {
        Err(format!("must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"))
    }
}

/// The fields of a sign-up, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignUpFields<'a> {
    pub(super) email: &'a str,
    pub(super) nick: &'a str,
    pub(super) password: &'a str,
}

/// All three fields of a sign-up, or every fault in them.
pub(super) fn sign_up<'a>(
    email_text: &'a str,
    nick_text: &'a str,
    password_text: &'a str,
) -> Result<SignUpFields<'a>, Vec<(&'static str, String)>> {
    match (email(email_text), line(nick_text, NICK_CHARS_MAX), password(password_text)) {
        (Ok(email), Ok(nick), Ok(password)) => Ok(SignUpFields { email, nick, password }),
        (email, nick, password) => {
            let faults = [("email", email.err()), ("nick", nick.err()), ("password", password.err())];
            Err(faults.into_iter().filter_map(|(field, problem)| problem.map(|problem| (field, problem))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_faulty_field_of_a_sign_up_is_named() {
        let faults = sign_up("nobody", "  ", "short").unwrap_err();
        assert_eq!(faults.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["email", "nick", "password"]);
        let faults = sign_up("ann@example.com", "ann", "short").unwrap_err();
        assert_eq!(faults, [("password", "must have 8 to 128 characters".to_owned())]);
    }

    #[test]
    fn a_sign_up_is_kept_trimmed_except_for_its_password() {
        let fields = sign_up(" ann@example.com ", "\tAnn  Lee ", " spaces count ").unwrap();
        assert_eq!(fields, SignUpFields { email: "ann@example.com", nick: "Ann  Lee", password: " spaces count " });
    }

    #[test]
    fn an_email_has_the_form_that_browsers_accept() {
        for right in ["a@b", "ann.lee+bids@mail.example.co.kr", "o'neil@ex-ample.com"] {
            assert_eq!(email(right), Ok(right));
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}", ["b".repeat(63).as_str(); 4].join("."));
        for wrong in ["", "@", "a@", "@b", "a b@c", "a@b..c", "a@-b", "a@b@c", "a@b\n.c", "é@b", &long, &longer] {
            assert!(email(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_nick_counts_characters_not_bytes_and_hides_nothing() {
        assert_eq!(line("김입찰", 3), Ok("김입찰"));
        for wrong in ["four", "a\nb", "a\0b", "\u{202e}ab", "\u{200b}", " "] {
            assert!(line(wrong, 3).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_nick_shows_something() {
        for blank in
            ["\u{3164}", "\u{ad}", "\u{34f}\u{115f}", "\u{1160} \u{ffa0}", "\u{180b}\u{180e}", "\u{2800}", "\u{e0041}"]
        {
            assert!(line(blank, 30).is_err(), "{blank:?}");
        }
        for seen in ["a\u{ad}b", "\u{1100}\u{1160}", "❤\u{fe0f}", "👩\u{200d}🎤", "०"] {
            assert_eq!(line(seen, 30), Ok(seen));
        }
    }

    #[test]
    fn a_description_may_have_lines_but_no_other_controls() {
        assert_eq!(paragraphs(" one\r\n\ttwo ", 20), Ok("one\r\n\ttwo"));
        assert_eq!(paragraphs("", 20), Ok(""));
        assert!(paragraphs("bell\u{7}", 20).is_err());
        assert!(paragraphs("too long", 7).is_err());
    }
}
