use proptest::prelude::*;

use super::*;

const KEY: AuthKey = AuthKey([1; 32]);
const ANN: PeerId = PeerId::from_u64(1);
const BO: PeerId = PeerId::from_u64(2);

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint::from_bytes([byte; 32])
}

fn line(byte: u8) -> String {
    format!("a=fingerprint:sha-256 {}\r\n", fingerprint(byte))
}

fn answer() -> Statement<'static> {
    Statement {
        about: About::Answer,
        epoch: 7,
        from: ANN,
        to: BO,
        own: fingerprint(1),
        other: Some(fingerprint(2)),
        reply_to: Some(Word([3; 32])),
        sdp: Some("v=0"),
    }
}

#[test]
fn a_proof_holds_for_what_it_says_and_for_nothing_else() {
    let word = Word([9; 32]);
    let said = answer();
    let proof = KEY.prove(&said, word);
    assert!(KEY.is_proven(&said, &proof));
    let others = [
        Statement { about: About::Offer, ..said },
        Statement { about: About::Confirm, ..said },
        Statement { epoch: 8, ..said },
        Statement { from: BO, ..said },
        Statement { to: ANN, ..said },
        Statement { from: BO, to: ANN, ..said },
        Statement { own: fingerprint(3), ..said },
        Statement { own: fingerprint(2), other: Some(fingerprint(1)), ..said },
        Statement { other: None, ..said },
        Statement { reply_to: None, ..said },
        Statement { reply_to: Some(Word([4; 32])), ..said },
        Statement { sdp: None, ..said },
        Statement { sdp: Some("v=0\r\n"), ..said },
    ];
    for other in others {
        assert!(!KEY.is_proven(&other, &proof), "{other:?}");
    }
    assert!(!AuthKey([2; 32]).is_proven(&said, &proof), "another room's");
    assert!(!KEY.is_proven(&said, &Proof { word: Word([8; 32]), ..proof }));
    for bit in 0..256 {
        let mut mac = proof.mac.0;
        mac[bit / 8] ^= 1 << (bit % 8);
        assert!(!KEY.is_proven(&said, &Proof { mac: Word(mac), ..proof }), "bit {bit}");
    }
}

#[test]
fn the_certificate_of_a_description_is_found_once_or_in_every_section() {
    let one = format!("v=0\r\n{}m=audio 9 X 0\r\n", line(0xab));
    let each = format!("v=0\r\nm=audio 9 X 0\r\n{0}m=video 9 X 0\r\n{0}", line(0xab));
    let small = one.replace("AB", "ab");
    let bare = one.replace("\r\n", "\n");
    for sdp in [one, each, small, bare] {
        assert_eq!(Fingerprint::of_sdp(&sdp), Ok(fingerprint(0xab)), "{sdp}");
    }
}

#[test]
fn a_description_in_which_two_readers_could_find_two_certificates_is_refused() {
    use InvalidFingerprint::{Malformed, Missing, Several};
    let good = line(1);
    let digits = fingerprint(2).to_string();
    for (more, why) in [
        (line(2), Several),
        (format!("a=fingerprint:sha-1 {}\r\n", &digits[..59]), Malformed),
        (format!("a=fingerprint:sha-512 {digits}:{digits}\r\n"), Malformed),
        (format!("a=fingerprint:SHA-256 {digits}\r\n"), Malformed),
        (format!("A=fingerprint:sha-256 {digits}\r\n"), Malformed),
        (format!(" a=fingerprint:sha-256 {digits}\r\n"), Malformed),
        (format!("a=x\ra=fingerprint:sha-256 {digits}\r\n"), Several),
        (format!("a=Fingerprint:sha-256 {digits}\r\n"), Malformed),
        (format!("a=fingerprint:sha-256  {digits}\r\n"), Malformed),
        (format!("a=fingerprint:sha-256 {digits} \r\n"), Malformed),
        (format!("a=fingerprint:sha-256 {digits}:02\r\n"), Malformed),
        (format!("a=fingerprint:sha-256 {}\r\n", &digits[..92]), Malformed),
        (format!("a=fingerprint:sha-256 {}\r\n", digits.replace(':', "-")), Malformed),
        (format!("a=fingerprint:sha-256 {}\r\n", digits.replacen("02", "0é", 1)), Malformed),
        (format!("a=fingerprint:sha-256 {}\r\n", digits.replacen("02", "+2", 1)), Malformed),
        ("a=fingerprint\r\n".to_owned(), Malformed),
        ("s=a fingerprint\r\n".to_owned(), Malformed),
    ] {
        for sdp in [format!("v=0\r\n{good}{more}"), format!("v=0\r\n{more}{good}")] {
            assert_eq!(Fingerprint::of_sdp(&sdp), Err(why), "{sdp}");
        }
    }
    assert_eq!(Fingerprint::of_sdp("v=0\r\n"), Err(Missing));
}

#[test]
fn a_commitment_is_that_of_its_nonce_only_and_no_two_nonces_are_alike() {
    let seed = NonceSeed::from_bytes([5; 32]);
    let nonces = [seed.nonce(0, 0), seed.nonce(0, 1), seed.nonce(1, 0), seed.nonce(1, 1)];
    for (place, nonce) in nonces.iter().enumerate() {
        assert!(!nonces[..place].contains(nonce));
        assert!(nonce.commit() != nonce.reveal());
        assert!(nonces[..place].iter().all(|other| other.commit() != nonce.commit()));
        assert!(nonce.reveal().as_nonce() == *nonce);
    }
}

#[test]
fn a_code_depends_on_every_part_of_it() {
    let part = |id, byte, nonce| CodePart {
        id,
        fingerprint: fingerprint(byte),
        nonce: Nonce::from_bytes([nonce; 32]),
    };
    let (ann, bo) = (part(ANN, 1, 3), part(BO, 2, 4));
    let code = Code::new(&ann, &bo);
    assert_eq!(code, Code::new(&ann, &bo));
    assert_ne!(code, Code::new(&bo, &ann));
    assert_ne!(code, Code::new(&ann, &part(BO, 3, 4)));
    assert_ne!(code, Code::new(&ann, &part(BO, 2, 5)));
    assert_ne!(code, Code::new(&part(ANN, 3, 3), &bo));
    assert_ne!(code, Code::new(&part(ANN, 1, 5), &bo));
    assert_ne!(code, Code::new(&part(PeerId::from_u64(9), 1, 3), &bo));
    assert_eq!(Code::from_places(code.places()), Some(code));
    assert_eq!(Code::from_places([0, 0, 0, 64]), None);
    assert_eq!(Code::from_places([0, 1, 2, 63]).map(|it| it.emoji()[3].1), Some("Pin"));
}

#[test]
fn emoji_and_names_are_all_different() {
    for (place, (emoji, name)) in EMOJI.iter().enumerate() {
        assert!(EMOJI[..place].iter().all(|other| other.0 != *emoji && other.1 != *name));
    }
}

#[test]
fn nothing_of_a_proof_shows_in_logs() {
    let proof = KEY.prove(&answer(), Word([9; 32]));
    let (seed, nonce) = (NonceSeed::from_bytes([5; 32]), Nonce::from_bytes([5; 32]));
    let shown = format!("{KEY:?} {proof:?} {seed:?} {nonce:?} {:?}", fingerprint(0xab));
    assert!(!shown.contains("9, 9") && !shown.contains("AB") && !shown.contains("5, 5"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*", place in 0_usize..200, byte: u8) {
        let mut sdp = format!("v=0\r\n{}m=audio\r\n{}", line(byte), line(byte)).into_bytes();
        let end = place.min(sdp.len());
        sdp.splice(end..end, text.bytes());
        let sdp = String::from_utf8_lossy(&sdp);
        // Whatever was put in between: it is never another certificate.
        if let Ok(found) = Fingerprint::of_sdp(&sdp) {
            prop_assert_eq!(found, fingerprint(byte));
        }
    }
}
