//! What has to be seen and changed in descriptions (RFC 8866) beside what the library does.

use quartet_proto::limits::MAX_SDP_BYTES;

/// Voice, camera, screen, data: more is not a description of ours.
const MAX_SECTIONS: usize = 4;
/// Pictures among them: a client without screens describes one.
const MAX_VIDEO_SECTIONS: usize = 2;

/// The direction attribute of a media section (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Direction {
    send: bool,
    receive: bool,
}

impl Direction {
    const BOTH: Self = Self { send: true, receive: true };

    fn parse(line: &str) -> Option<Self> {
        let (send, receive) = match line {
            "a=sendrecv" => (true, true),
            "a=sendonly" => (true, false),
            "a=recvonly" => (false, true),
            "a=inactive" => (false, false),
            _ => return None,
        };
        Some(Self { send, receive })
    }

    /// What an answer may say to this offer (RFC 3264 §6.1).
    fn clamp(self, answered: Self) -> Self {
        Self { send: answered.send && self.receive, receive: answered.receive && self.send }
    }

    const fn line(self) -> &'static str {
        match (self.send, self.receive) {
            (true, true) => "a=sendrecv",
            (true, false) => "a=sendonly",
            (false, true) => "a=recvonly",
            (false, false) => "a=inactive",
        }
    }
}

/// A description, as far as a link looks into it.
#[derive(Debug)]
pub(crate) struct Description {
    /// Without its candidates.
    pub(crate) sdp: String,
    /// The candidates of the bundle's first section, as `candidate:` lines. All media share that
    /// section's transport (RFC 9143 §7), and a browser may gather for every section.
    pub(crate) candidates: Vec<String>,
    /// The identification of that section (RFC 5888)…
    pub(crate) mid: String,
    /// …and its index.
    pub(crate) index: u16,
    /// The ICE generation (RFC 8839 §5.4).
    pub(crate) ufrag: String,
    /// By section.
    directions: Vec<Direction>,
}

impl Description {
    /// Reads a description; the error is a reason fit for logs.
    pub(crate) fn read(sdp: &str) -> Result<Self, &'static str> {
        if sdp.len() > MAX_SDP_BYTES {
            return Err("the description is too long");
        }
        if !sdp.starts_with("v=0") {
            return Err("this is not a description");
        }
        let mut kept = String::with_capacity(sdp.len());
        let mut bundle = None;
        let mut ufrag = None;
        let mut kinds = Vec::new();
        let mut sections: Vec<Section> = Vec::new();
        for line in lines(sdp) {
            if let Some(media) = line.strip_prefix("m=") {
                let kind = media.split(' ').next().unwrap_or_default();
                let most = if kind == "video" { MAX_VIDEO_SECTIONS } else { 1 };
                let same = kinds.iter().filter(|known| **known == kind).count();
                if same == most || sections.len() == MAX_SECTIONS {
                    return Err("the description has too many media sections");
                }
                kinds.push(kind);
                sections.push(Section::default());
            } else if let Some(mids) = line.strip_prefix("a=group:BUNDLE ") {
                bundle = mids.split_ascii_whitespace().next();
            } else if let Some(value) = line.strip_prefix("a=ice-ufrag:") {
                ufrag.get_or_insert(value);
            } else if let Some(section) = sections.last_mut() {
                if let Some(mid) = line.strip_prefix("a=mid:") {
                    section.mid = mid;
                } else if line.starts_with("a=candidate:") {
                    section.candidates.push(line[2..].to_owned());
                    continue;
                } else if line == "a=end-of-candidates" {
                    continue;
                } else if let Some(direction) = Direction::parse(line) {
                    section.direction = direction;
                }
            }
            kept.push_str(line);
            kept.push_str("\r\n");
        }
        let ufrag = ufrag.ok_or("the description has no ICE credentials")?.to_owned();
        let directions = sections.iter().map(|section| section.direction).collect();
        let index = match bundle {
            Some(mid) => sections.iter().position(|section| section.mid == mid),
            None => (!sections.is_empty()).then_some(0),
        }
        .ok_or("the description has no media sections")?;
        let section = sections.swap_remove(index);
        Ok(Self {
            sdp: kept,
            candidates: section.candidates,
            mid: section.mid.to_owned(),
            index: index as u16,
            ufrag,
            directions,
        })
    }

    /// Takes from an answer to this offer what the offer does not allow: browsers refuse the whole
    /// answer otherwise.
    pub(crate) fn clamp(&self, answer: &str) -> String {
        let mut clamped = String::with_capacity(answer.len());
        let mut offered = self.directions.iter();
        let mut current = None;
        for line in lines(answer) {
            if line.starts_with("m=") {
                current = offered.next();
            }
            let line = match (Direction::parse(line), current) {
                (Some(answered), Some(offered)) => offered.clamp(answered).line(),
                _ => line,
            };
            clamped.push_str(line);
            clamped.push_str("\r\n");
        }
        clamped
    }
}

/// Says that candidates follow on their own (RFC 8840 §4.1.1), which the library forgets to.
pub(crate) fn with_trickle(sdp: &str) -> String {
    match sdp.find("\r\nm=") {
        Some(end) if !sdp.contains("a=ice-options:") => {
            format!("{}\r\na=ice-options:trickle{}", &sdp[..end], &sdp[end..])
        }
        _ => sdp.to_owned(),
    }
}

#[derive(Default)]
struct Section<'a> {
    mid: &'a str,
    candidates: Vec<String>,
    direction: Direction,
}

impl Default for Direction {
    fn default() -> Self {
        Self::BOTH
    }
}

fn lines(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.split('\n').map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 1 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=sendonly\r\n\
        a=candidate:1 1 udp 1 192.0.2.7 1 typ host\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:abcd\r\na=sendrecv\r\n\
        a=candidate:1 1 udp 1 192.0.2.7 2 typ host\r\na=end-of-candidates\r\n";

    #[test]
    fn candidates_are_taken_from_the_first_section_of_the_bundle() {
        let description = Description::read(OFFER).unwrap();
        assert_eq!(description.candidates, ["candidate:1 1 udp 1 192.0.2.7 2 typ host"]);
        assert_eq!((description.mid.as_str(), description.index), ("1", 1));
        assert_eq!(description.ufrag, "abcd");
        assert!(!description.sdp.contains("candidate"));
        assert!(description.sdp.contains("a=sendonly\r\nm=video"));
    }

    #[test]
    fn an_answer_is_clamped_to_its_offer() {
        let offer = Description::read(OFFER).unwrap();
        let answer = "v=0\r\nm=audio 9 X 111\r\na=sendrecv\r\nm=video 9 X 96\r\na=sendrecv\r\n";
        assert_eq!(
            offer.clamp(answer),
            "v=0\r\nm=audio 9 X 111\r\na=recvonly\r\nm=video 9 X 96\r\na=sendrecv\r\n"
        );
    }

    #[test]
    fn trickling_is_announced_once() {
        let said = with_trickle(OFFER);
        assert!(said.contains("a=group:BUNDLE 1 0\r\na=ice-options:trickle\r\nm=audio"));
        assert_eq!(with_trickle(&said), said);
    }

    #[test]
    fn hostile_descriptions_are_refused() {
        let long = format!("v=0\r\n{}", "a=x\r\n".repeat(10_000));
        let twice = OFFER.replace("m=video", "m=audio");
        let screen = format!("{OFFER}m=video 9 X 96\r\n");
        assert!(Description::read(&screen).is_ok());
        let three = format!("{screen}m=video 9 X 96\r\n");
        let many = format!("{screen}m=application 9 X x\r\nm=text 9 X x\r\n");
        for sdp in ["", "garbage", "v=0", &long, &twice, &three, &many] {
            assert!(Description::read(sdp).is_err());
        }
    }
}
