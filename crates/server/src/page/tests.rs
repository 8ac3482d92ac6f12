use super::*;

fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
    values.iter().map(|it| (name.clone(), HeaderValue::from_str(it).unwrap())).collect()
}

#[test]
fn each_file_is_there_twice_and_has_a_type() {
    let names = |form: &str| -> Vec<String> {
        let names = Built::iter().filter_map(|it| it.strip_prefix(form).map(str::to_owned));
        names.collect()
    };
    assert_eq!(names("plain/"), names("gzip/"));
    assert_eq!(Built::iter().count(), 2 * names("plain/").len());
    for name in names("plain/") {
        assert_ne!(content_type(&name), "application/octet-stream", "{name}");
    }
}

#[test]
fn only_a_plain_host_becomes_a_part_of_the_policy() {
    let policy = |host: &str| {
        let request = headers(header::HOST, &[host]);
        content_security_policy(super::host(&request))
    };
    assert!(policy("a-1.example:8460").contains("'self' ws://a-1.example:8460 wss://a-1.exam"));
    assert!(policy("[::1]:80").contains("ws://[::1]:80 "));
    let plain = content_security_policy(None);
    assert!(plain.contains("connect-src 'self';"));
    let (longest, too_long) = ("a".repeat(MAX_HOST_BYTES), "a".repeat(MAX_HOST_BYTES + 1));
    assert!(policy(&longest).contains(&longest));
    for hostile in ["", "a;script-src *", "a *", "a,b", "a/b", "a'b", "a%3b", "ä", &too_long] {
        assert_eq!(policy(hostile), plain, "{hostile}");
    }
}

#[test]
fn gzip_is_sent_to_those_who_take_it() {
    let takes = |lists: &[&str]| takes_gzip(&headers(header::ACCEPT_ENCODING, lists));
    assert!(takes(&["gzip"]) && takes(&["br, GZIP;q=0.5"]) && takes(&["br", "gzip"]));
    assert!(!takes(&[]) && !takes(&["br, deflate"]));
    assert!(!takes(&["gzip;q=0"]) && !takes(&["br, gzip; q=0.000"]) && !takes(&["xgzip"]));
}

#[test]
fn a_known_version_is_not_sent_again() {
    let known = |lists: &[&str]| is_known(&headers(header::IF_NONE_MATCH, lists), "W/\"ab\"");
    assert!(known(&["W/\"ab\""]) && known(&["\"ab\""]) && known(&["\"x\", W/\"ab\""]));
    assert!(known(&["*"]) && known(&["\"x\"", "\"ab\""]));
    assert!(!known(&[]) && !known(&["\"abc\""]) && !known(&["W/\"x\""]) && !known(&["ab"]));
}
