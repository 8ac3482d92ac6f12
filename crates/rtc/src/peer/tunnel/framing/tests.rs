use super::*;

fn stun(body: usize) -> Vec<u8> {
    let mut message = vec![0, 1, (body >> 8) as u8, body as u8, 0x21, 0x12, 0xa4, 0x42];
    message.resize(STUN_HEADER + body, 7);
    message
}

fn channel(body: usize) -> Vec<u8> {
    let mut message = vec![0x40, 1, (body >> 8) as u8, body as u8];
    message.resize(CHANNEL_HEADER + body, 9);
    message
}

fn all(deframer: &mut Deframer) -> Vec<Bytes> {
    std::iter::from_fn(|| deframer.next().unwrap()).collect()
}

#[test]
fn messages_come_out_as_they_went_in_however_the_stream_is_cut() {
    let messages = [stun(0), channel(1), channel(0), stun(8), channel(1_203), stun(4), channel(3)];
    let mut stream = BytesMut::new();
    messages.iter().for_each(|message| frame(message, &mut stream));
    assert_eq!(stream.len() % ALIGNMENT, 0);
    for cut in [1, 2, 3, 5, 19, 21, 1_000, stream.len()] {
        let mut deframer = Deframer::default();
        let mut out = Vec::new();
        for piece in stream.chunks(cut) {
            deframer.push(piece);
            out.extend(all(&mut deframer));
        }
        assert_eq!(out, messages, "in pieces of {cut}");
    }
}

#[test]
fn a_datagram_that_is_padded_already_is_padded_once() {
    let mut padded = channel(5);
    padded.resize(12, 0);
    let (mut once, mut again) = (BytesMut::new(), BytesMut::new());
    frame(&channel(5), &mut once);
    frame(&padded, &mut again);
    assert_eq!(once, again);
}

#[test]
fn what_is_no_whole_message_does_not_spoil_the_stream() {
    let mut stream = BytesMut::new();
    let mut long = stun(4);
    long.push(0);
    let odd = [0, 1, 0, 3, 0, 0, 0, 0];
    for bad in [&b""[..], &[0], &stun(8)[..27], &long, &channel(9)[..12], &[0x80; 40], &odd] {
        frame(bad, &mut stream);
    }
    assert_eq!(stream, BytesMut::new());
}

#[test]
fn the_longest_message_passes_and_a_longer_one_is_passed_over() {
    let (longest, longer) = (channel(MAX_MESSAGE - CHANNEL_HEADER), channel(MAX_MESSAGE - 3));
    let last = stun(0);
    let mut stream = BytesMut::new();
    [&longest, &longer, &channel(65_535), &last].iter().for_each(|it| frame(it, &mut stream));
    for cut in [1, 4, 999, stream.len()] {
        let mut deframer = Deframer::default();
        let mut out = Vec::new();
        for piece in stream.chunks(cut) {
            deframer.push(piece);
            out.extend(all(&mut deframer));
        }
        assert_eq!(out, [&longest[..], &last[..]], "in pieces of {cut}");
    }
}

#[test]
fn what_is_no_turn_ends_the_stream() {
    for bad in [&[0x80, 0, 0, 0][..], &[0xff; 9], &[0x50, 0, 0, 0], b"SSH-2.0-x", &[0, 1, 0, 2]] {
        let mut deframer = Deframer::default();
        deframer.push(bad);
        assert_eq!(deframer.next(), Err(NotTurn), "{bad:?}");
    }
}

#[test]
fn a_hostile_stream_costs_a_bounded_amount_of_memory() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..2_000 {
        let mut deframer = Deframer::default();
        for _ in 0..random.usize(1..40) {
            let mut piece: Vec<u8> = (0..random.usize(..3_000)).map(|_| random.u8(..)).collect();
            // Mostly something that begins like a message, with a length that lies.
            if let Some(first) = piece.first_mut().filter(|_| random.u8(..4) > 0) {
                *first &= 0x4f;
            }
            deframer.push(&piece);
            let mut ended = false;
            loop {
                match deframer.next() {
                    Ok(Some(message)) => assert!(message.len() <= MAX_MESSAGE),
                    Ok(None) => break,
                    Err(NotTurn) => {
                        ended = true;
                        break;
                    }
                }
            }
            if ended {
                break;
            }
            assert!(deframer.buffer.len() < MAX_MESSAGE, "seed {seed}");
        }
    }
}
