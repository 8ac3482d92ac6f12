//! Join links and server addresses, as people and strangers write them.

use proptest::prelude::*;
use quartet_proto::{InvalidLink, JoinLink, LinkSecret, ServerUrl, limits::MAX_LINK_BYTES};

const SECRET: &str = "AAECAwQFBgcICQoLDA0ODw";

fn parse(text: &str) -> Result<JoinLink, InvalidLink> {
    JoinLink::parse(text)
}

#[test]
fn both_forms_mean_the_same() {
    for origin in [
        "https://quartet.example",
        "https://quartet.example:8443",
        "http://127.0.0.1:40123",
        "http://[fe80::1]:40123",
        "http://[::1]",
        "https://xn--12c4db3b2bb9h.example",
    ] {
        let link = parse(&format!("{origin}/j#{SECRET}")).unwrap();
        assert_eq!(link.server.to_string(), origin);
        assert_eq!(link.to_web_url(), format!("{origin}/j#{SECRET}"));
        assert_eq!(parse(&link.to_app_url()), Ok(link.clone()));
        assert_eq!(parse(&link.to_web_url()), Ok(link));
    }
}

#[test]
fn what_a_clipboard_adds_is_forgiven() {
    let plain = parse(&format!("https://quartet.example/j#{SECRET}"));
    assert!(plain.is_ok());
    for text in [
        format!("  https://quartet.example/j#{SECRET}\r\n"),
        format!("https://quartet.example/j/#{SECRET}"),
        format!("HTTPS://Quartet.Example:443/j#{SECRET}"),
        format!("quartet://join?server=https://quartet.example#{SECRET}"),
        format!("quartet://join/?server=https%3A%2F%2Fquartet.example%2F#{SECRET}"),
    ] {
        assert_eq!(parse(&text), plain, "{text}");
    }
}

#[test]
fn anything_unusual_is_refused() {
    let long = format!("https://quartet.example/j#{}", "A".repeat(MAX_LINK_BYTES));
    for (text, expected) in [
        ("", InvalidLink::NotALink),
        ("quartet", InvalidLink::NotALink),
        ("https://quartet.example/", InvalidLink::NotALink),
        ("https://quartet.example/k#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("https://quartet.example/j/x#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("https://quartet.example/j?a#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("ftp://quartet.example/j#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("javascript:alert(1)#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("file:///j#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("https://quartet.example/j", InvalidLink::Secret),
        ("https://quartet.example/j#", InvalidLink::Secret),
        ("https://quartet.example/j#AAECAwQFBgcICQoLDA0OD", InvalidLink::Secret),
        ("https://quartet.example/j#AAECAwQFBgcICQoLDA0ODwA", InvalidLink::Secret),
        // The last character carries four bits that have to be zero.
        ("https://quartet.example/j#AAECAwQFBgcICQoLDA0ODx", InvalidLink::Secret),
        ("https://quartet.example/j#AAECAwQFBgcICQoLDA0O==", InvalidLink::Secret),
        ("https://quartet.example/j#AAECAwQFBgcICQoLDA0O/+", InvalidLink::Secret),
        ("https://user:pass@quartet.example/j#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://leave?server=https://a.example#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("quartet://join/x?server=https://a.example#AAECAwQFBgcICQoLDA0ODw", InvalidLink::NotALink),
        ("quartet://join#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://join?server=#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://join?server=a.example#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://join?server=ws://a.example#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://join?server=file:///etc#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://join?server=https://a.example/x#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        ("quartet://join?server=https://u@a.example#AAECAwQFBgcICQoLDA0ODw", InvalidLink::Server),
        (
            "quartet://join?server=https://a.example&server=https://b.example#AAECAwQFBgcICQoLDA0ODw",
            InvalidLink::Server,
        ),
        (long.as_str(), InvalidLink::TooLong),
    ] {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}

#[test]
fn the_websocket_is_where_the_server_is() {
    for (origin, websocket) in [
        ("http://127.0.0.1:40123", "ws://127.0.0.1:40123/ws"),
        ("https://quartet.example", "wss://quartet.example/ws"),
        ("https://quartet.example:443/", "wss://quartet.example/ws"),
        ("http://[::1]:80", "ws://[::1]/ws"),
    ] {
        assert_eq!(ServerUrl::parse(origin).unwrap().websocket(), websocket);
    }
}

#[test]
fn nothing_that_is_printed_for_logs_has_the_secret() {
    let link = parse(&format!("https://quartet.example/j#{SECRET}")).unwrap();
    let debug = format!("{link:?} {:?}", link.secret.room_id());
    assert!(!debug.contains(SECRET) && !debug.contains("quartet.example"), "{debug}");
    assert!(!debug.contains(&String::from(link.secret.room_id())));
}

proptest! {
    #[test]
    fn every_secret_survives_both_forms(bytes: [u8; 16], port in 1_u16..) {
        let server = ServerUrl::parse(&format!("http://192.0.2.1:{port}")).unwrap();
        let link = JoinLink { server, secret: LinkSecret::from_bytes(bytes) };
        prop_assert_eq!(JoinLink::parse(&link.to_web_url()), Ok(link.clone()));
        prop_assert_eq!(JoinLink::parse(&link.to_app_url()), Ok(link));
    }

    #[test]
    fn any_text_is_refused_or_means_what_it_is_written_back_as(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn nearly_a_link_is_refused_or_means_what_it_is_written_back_as(
        scheme in "(https?|quartet|ws|javascript|QUARTET)",
        middle in "(://|:|:/)(join|[a-z.]{0,8}|\\[::1\\]|[0-9.]{0,9})(:[0-9]{0,6})?(/j?/?)?",
        query in "(\\?(server=)?(https?(://|%3A%2F%2F))?[a-z@:/.&=]{0,12})?",
        secret in "(#[A-Za-z0-9_-]{20,23}|#\\PC{0,30})?",
    ) {
        check(&format!("{scheme}{middle}{query}{secret}"))?;
    }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    if let Ok(link) = JoinLink::parse(text) {
        prop_assert_eq!(JoinLink::parse(&link.to_web_url()), Ok(link.clone()));
        prop_assert_eq!(JoinLink::parse(&link.to_app_url()), Ok(link.clone()));
        let origin = link.server.to_string();
        prop_assert_eq!(ServerUrl::parse(&origin), Ok(link.server));
    }
    Ok(())
}
