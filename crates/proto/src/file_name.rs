//! What a received file is called on a disk, whatever the sender calls it.

/// Bytes of UTF-8 that a name keeps: file systems take 255, and there must be room for the number of
/// a second file of the same name and for the mark of an unfinished one.
const MOST_BYTES: usize = 200;
/// Of these, what comes after the last dot, if there is something sensible there.
const MOST_EXTENSION_BYTES: usize = 32;
/// A file whose name has nothing that can be kept.
const NAMELESS: &str = "file";

/// Names of devices on Windows, whatever comes after a dot, in any case.
const DEVICES: &[&str] = &[
    "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "COM0", "COM1", "COM2", "COM3", "COM4",
    "COM5", "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³", "LPT0", "LPT1", "LPT2", "LPT3",
    "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³",
];

/// A name that names one ordinary, visible file inside the folder that it is put in, on every
/// system, and shows what it is. Never empty; the same for the same text; of a name that is fine
/// already, it changes nothing.
///
/// Whatever looks like a path keeps its last part only. What no name may have, or what hides what it
/// is (controls, marks of direction, characters that show nothing), is left out or becomes `_`. The
/// part after the last dot survives a name that is too long, so that what a file is stays to be
/// seen.
#[must_use]
pub fn safe_file_name(text: &str) -> String {
    // A path of either kind of system; a drive or a stream of NTFS comes with a colon.
    let last = text.rsplit(['/', '\\']).find(|part| !is_nothing(part)).unwrap_or_default();
    let mut name = String::with_capacity(last.len().min(MOST_BYTES));
    // More than the longest name can come of: a stranger's text may be long.
    for c in last.chars().filter(|c| !hides(*c)) {
        name.push(if is_forbidden(c) { '_' } else { c });
    }
    // A leading dot hides a file, one at the end is lost on Windows, as spaces are.
    let name = name.trim_start_matches(is_edge).trim_end_matches(is_edge);
    let name = shorten(name);
    if name.is_empty() {
        return NAMELESS.to_owned();
    }
    // Windows looks at what comes before the first dot, without spaces at its end.
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    if DEVICES.iter().any(|device| device.to_lowercase() == stem.to_lowercase()) {
        return format!("_{name}");
    }
    name
}

/// The same with a number before the last dot: what a file is called when the name is taken.
#[must_use]
pub fn numbered_file_name(name: &str, number: u32) -> String {
    match split_extension(name) {
        (stem, Some(extension)) => format!("{stem} ({number}).{extension}"),
        (stem, None) => format!("{stem} ({number})"),
    }
}

/// What stands before the last dot, and what after it if that says what a file is.
fn split_extension(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty()
                && (1..=MOST_EXTENSION_BYTES).contains(&extension.len())
                && !extension.contains(char::is_whitespace) =>
        {
            (stem, Some(extension))
        }
        _ => (name, None),
    }
}

fn shorten(name: &str) -> String {
    if name.len() <= MOST_BYTES {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let room = MOST_BYTES - extension.map_or(0, |extension| extension.len() + 1);
    let mut end = room.min(stem.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let stem = stem[..end].trim_end_matches(is_edge);
    match extension {
        Some(extension) => format!("{stem}.{extension}"),
        None => stem.to_owned(),
    }
}

fn is_nothing(part: &str) -> bool {
    part.chars().all(|c| hides(c) || is_edge(c))
}

fn is_edge(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// What shows nothing, or changes how what stands around it is shown (UAX #9).
fn hides(c: char) -> bool {
    matches!(c,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        | '\u{2028}' | '\u{2029}' | '\u{00AD}' | '\u{200B}' | '\u{2060}'..='\u{2065}'
        | '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}' | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}')
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '/' | '\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        for name in [
            "a",
            "report.pdf",
            "รายงาน ปี ๒๕๖๙.pdf",
            "archive.tar.gz",
            "no extension",
            "Vertrag (final) – Müller & Söhne.docx",
            "שלום.txt",
            "👩‍👩‍👧 family.jpg",
            "con.txt.but not a device".strip_prefix("con.").unwrap(),
            "conference.mp4",
            "100% #1 'x' {y} [z] ~ $HOME `ls`.txt",
        ] {
            assert_eq!(safe_file_name(name), name);
        }
    }

    #[test]
    fn a_path_leads_nowhere() {
        for (text, name) in [
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("..\\..\\Windows\\win.ini", "win.ini"),
            ("C:\\autoexec.bat", "autoexec.bat"),
            ("C:autoexec.bat", "C_autoexec.bat"),
            ("\\\\server\\share\\x", "x"),
            ("folder/", "folder"),
            ("folder/..", "folder"),
            ("a/../b/..", "b"),
            ("..", "file"),
            (".", "file"),
            ("/", "file"),
            ("\\", "file"),
            ("...", "file"),
            ("", "file"),
            ("a\0/b", "b"),
            ("file.txt::$DATA", "file.txt__$DATA"),
            ("file.txt:Zone.Identifier", "file.txt_Zone.Identifier"),
        ] {
            assert_eq!(safe_file_name(text), name, "{text:?}");
        }
    }

    #[test]
    fn a_name_shows_what_it_is() {
        for (text, name) in [
            // Shown as “annexe.txt” otherwise.
            ("ann\u{202E}txt.exe", "anntxt.exe"),
            ("a\u{2066}b\u{2069}.pdf", "ab.pdf"),
            ("invoice.pdf\u{200B}.exe", "invoice.pdf.exe"),
            ("a\u{FEFF}\u{00AD}b", "ab"),
            ("\u{202E}", "file"),
            ("a\nb\tc\u{7f}d\u{9b}e", "a_b_c_d_e"),
            ("nul\0.txt", "nul_.txt"),
            ("a<b>c:d\"e|f?g*h", "a_b_c_d_e_f_g_h"),
            (".bashrc", "bashrc"),
            (" . .profile", "profile"),
            ("report.pdf. . .", "report.pdf"),
            ("report.pdf   ", "report.pdf"),
            ("\u{3000}x\u{3000}", "x"),
        ] {
            assert_eq!(safe_file_name(text), name, "{text:?}");
        }
    }

    #[test]
    fn a_device_of_windows_is_a_file_like_any_other() {
        for (text, name) in [
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("Aux.tar.gz", "_Aux.tar.gz"),
            ("nul .txt", "_nul .txt"),
            ("COM1", "_COM1"),
            ("lpt9.log", "_lpt9.log"),
            ("COM²", "_COM²"),
            ("conin$", "_conin$"),
            (".con", "_con"),
            ("COM10", "COM10"),
            ("console", "console"),
        ] {
            assert_eq!(safe_file_name(text), name, "{text:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = safe_file_name(&("ก".repeat(300) + ".pdf"));
        assert!(name.len() <= MOST_BYTES && name.len() > MOST_BYTES - 3, "{}", name.len());
        assert!(name.ends_with("ก.pdf"));
        let exact = "x".repeat(MOST_BYTES);
        assert_eq!(safe_file_name(&exact), exact);
        assert_eq!(safe_file_name(&(exact.clone() + "y")), exact);
        // An end that is a name by itself says nothing about the file.
        let name = safe_file_name(&format!("x.{}", "y".repeat(300)));
        assert_eq!(name.len(), MOST_BYTES);
        // What is cut off may leave a dot or a space at the end.
        let name = safe_file_name(&("x".repeat(MOST_BYTES - 2) + ". " + &"y".repeat(50)));
        assert_eq!(name, "x".repeat(MOST_BYTES - 2));
    }

    #[test]
    fn a_second_one_of_the_same_name_gets_a_number() {
        assert_eq!(numbered_file_name("report.pdf", 2), "report (2).pdf");
        assert_eq!(numbered_file_name("report", 3), "report (3)");
        assert_eq!(numbered_file_name("v1.2 of it", 2), "v1.2 of it (2)");
    }

    proptest! {
        #[test]
        fn whatever_comes_the_name_is_one_visible_file(text in r"(\PC|[\x00-\x20./\\:\u{202e}\u{200b}]){0,300}") {
            let name = safe_file_name(&text);
            prop_assert!(!name.is_empty() && name.len() <= MOST_BYTES + 1);
            prop_assert!(!name.contains(['/', '\\', '\0', ':']));
            prop_assert!(!name.chars().any(|c| c.is_control() || hides(c)));
            prop_assert!(!name.starts_with('.') && !name.ends_with(['.', ' ']));
            prop_assert_eq!(std::path::Path::new(&name).components().count(), 1);
            prop_assert_eq!(safe_file_name(&name), name, "it is stable");
        }
    }
}
