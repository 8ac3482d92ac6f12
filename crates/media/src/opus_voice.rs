//! A voice to Opus and back (RFC 6716): 48 kHz, mono, 20 ms.

use bytes::Bytes;
use opus::{Application, Bitrate, Channels, Decoder, Encoder};
use quartet_core::{
    MAX_PACKET_SAMPLES, SAMPLE_RATE, SAMPLES_PER_10_MS, UndecodableVoice, VoiceDecoder,
    VoicePacketInfo,
};

/// Samples of a packet, and what a timestamp advances by (RFC 7587 §4.2).
pub(crate) const PACKET_SAMPLES: usize = 2 * SAMPLES_PER_10_MS;
/// Bits a second. Wideband speech needs 16–20 kbit/s (RFC 7587 §3.1.1), redundancy the rest.
const BITRATE: i32 = 32_000;
/// Packets in a hundred for whose loss the encoder prepares: without it there are no coarse copies.
/// They cost 0.2 dB of a voice at this bitrate, so that there is no need to be told the losses.
const EXPECTED_LOSS: i32 = 10;
/// The largest payload of one frame (RFC 6716 §3.2.1).
const MAX_FRAME_BYTES: usize = 1275;
/// A packet this short holds no sound (RFC 6716 §2.1.9).
const SILENCE_BYTES: usize = 2;
/// Conceal in multiples of 2.5 ms.
const CONCEAL_STEP: usize = SAMPLE_RATE as usize / 400;

/// The codec could not be set up, or refused sound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Opus: {0}")]
pub struct OpusError(String);

impl From<opus::Error> for OpusError {
    fn from(error: opus::Error) -> Self {
        Self(error.to_string())
    }
}

/// Encodes one voice.
#[derive(Debug)]
pub struct OpusEncoder {
    encoder: Encoder,
    /// The packet before held no sound.
    paused: bool,
}

impl OpusEncoder {
    /// An encoder for speech, with a coarse copy in each packet of the one before (FEC), that
    /// leaves out what holds no sound (DTX): after 200 ms of silence 5 packets a second are left.
    pub fn new() -> Result<Self, OpusError> {
        let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
        encoder.set_inband_fec(true)?;
        encoder.set_dtx(true)?;
        encoder.set_packet_loss_perc(EXPECTED_LOSS)?;
        Ok(Self { encoder, paused: false })
    }

    /// Encodes 20 ms; `None` when nothing needs to be sent for them. Of a silence, the first
    /// packet is sent, so that the other side knows that more silence is planned and not lost.
    pub fn encode(&mut self, sound: &[f32; PACKET_SAMPLES]) -> Result<Option<Bytes>, OpusError> {
        let mut packet = [0; MAX_FRAME_BYTES];
        let length = self.encoder.encode_float(sound, &mut packet)?;
        let paused = length <= SILENCE_BYTES;
        let sent = !(paused && self.paused);
        self.paused = paused;
        Ok(sent.then(|| Bytes::copy_from_slice(&packet[..length])))
    }
}

/// Decodes one voice; whatever a peer sends gives sound or an error.
#[derive(Debug)]
pub struct OpusDecoder {
    decoder: Decoder,
    scratch: Box<[f32; MAX_PACKET_SAMPLES]>,
}

impl OpusDecoder {
    /// A decoder; stereo is mixed down.
    pub fn new() -> Result<Self, OpusError> {
        let decoder = Decoder::new(SAMPLE_RATE, Channels::Mono)?;
        Ok(Self { decoder, scratch: Box::new([0.0; MAX_PACKET_SAMPLES]) })
    }
}

impl VoiceDecoder for OpusDecoder {
    fn inspect(&self, payload: &[u8]) -> Option<VoicePacketInfo> {
        let samples = opus::packet::get_nb_samples(payload, SAMPLE_RATE).ok()?;
        (1..=MAX_PACKET_SAMPLES).contains(&samples).then(|| VoicePacketInfo {
            samples,
            redundant: is_redundant(payload),
            silence: payload.len() <= SILENCE_BYTES,
        })
    }

    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice> {
        exactly(self.decoder.decode_float(payload, out, false), out)
    }

    fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice> {
        exactly(self.decoder.decode_float(next, out, true), out)
    }

    fn conceal(&mut self, out: &mut [f32]) {
        for part in out.chunks_mut(MAX_PACKET_SAMPLES) {
            let whole = part.len().next_multiple_of(CONCEAL_STEP);
            let guess = &mut self.scratch[..whole];
            if self.decoder.decode_float(&[], guess, false).is_err() {
                guess.fill(0.0);
            }
            part.copy_from_slice(&guess[..part.len()]);
        }
    }
}

fn exactly(decoded: opus::Result<usize>, out: &mut [f32]) -> Result<(), UndecodableVoice> {
    if decoded.is_ok_and(|length| length == out.len()) && out.iter().all(|x| x.is_finite()) {
        Ok(())
    } else {
        Err(UndecodableVoice)
    }
}

/// The packet has a low bit-rate copy of the frame before it (RFC 6716 §4.2.4), as far as a look at
/// its first bits tells. Only the usual case is looked for, one frame of at most 20 ms: others are
/// played, their copies are not used.
fn is_redundant(payload: &[u8]) -> bool {
    let &[toc, first, ..] = payload else {
        return false;
    };
    // Configurations 16 and up are CELT, which has no such copy; 20 ms and less have one
    // voice-activity bit before the LBRR flag (§4.2.3); the last two bits count the frames.
    let config = toc >> 3;
    let short = match config {
        0..=11 => config % 4 < 2,
        12..=15 => true,
        _ => false,
    };
    let mono = toc & 0b100 == 0;
    let single = toc & 0b11 == 0;
    short && mono && single && first & 0b0100_0000 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{speech, tone_level};

    fn packets(sound: &[f32]) -> Vec<Bytes> {
        let mut encoder = OpusEncoder::new().unwrap();
        sound
            .as_chunks()
            .0
            .iter()
            .map(|chunk| encoder.encode(chunk).unwrap().expect("sound is always sent"))
            .collect()
    }

    fn sine(hz: f32, length: usize) -> Vec<f32> {
        (0..length).map(|i| 0.25 * (std::f32::consts::TAU * hz * i as f32 / 48e3).sin()).collect()
    }

    #[test]
    fn a_tone_comes_back() {
        let mut decoder = OpusDecoder::new().unwrap();
        let mut heard = vec![];
        for packet in packets(&sine(440.0, 48_000)) {
            let info = decoder.inspect(&packet).unwrap();
            assert_eq!((info.samples, info.silence), (960, false));
            let mut out = [0.0; 960];
            decoder.decode(&packet, &mut out).unwrap();
            heard.extend(out);
        }
        let level = tone_level(&heard[4800..], 440.0);
        assert!((0.2..0.3).contains(&level), "{level}");
    }

    #[test]
    fn speech_carries_a_copy_of_what_came_before() {
        let packets = packets(&speech(3, 2));
        let decoder = OpusDecoder::new().unwrap();
        let redundant = |packet: &&Bytes| decoder.inspect(packet).unwrap().redundant;
        let share = packets.iter().filter(redundant).count() as f32 / packets.len() as f32;
        assert!(share > 0.5, "{share}");
    }

    /// How much stronger the sound is than its difference from what it should be, in dB.
    fn quality(sound: &[f32], wanted: &[f32]) -> f32 {
        let power = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>();
        let error = power(&mut sound.iter().zip(wanted).map(|(a, b)| a - b));
        10.0 * (power(&mut wanted.iter().copied()) / error).log10()
    }

    #[test]
    fn the_copy_is_better_than_a_guess() {
        let packets = packets(&speech(4, 6));
        let play = |recovers: bool, loses: bool| {
            let mut decoder = OpusDecoder::new().unwrap();
            let mut heard = vec![];
            for (i, packet) in packets.iter().enumerate() {
                let mut out = [0.0; PACKET_SAMPLES];
                match packets.get(i + 1).filter(|_| loses && i % 10 == 9) {
                    Some(next) if recovers => decoder.recover(next, &mut out).unwrap(),
                    Some(_) => decoder.conceal(&mut out),
                    None => decoder.decode(packet, &mut out).unwrap(),
                }
                heard.extend(out);
            }
            heard
        };
        let wanted = play(false, false);
        let (copied, guessed) = (play(true, true), play(false, true));
        let (copied, guessed) = (quality(&copied, &wanted), quality(&guessed, &wanted));
        println!("{copied:.1} dB with copies, {guessed:.1} dB without");
        assert!(copied > guessed + 3.0, "{copied} dB, {guessed} dB");
    }

    #[test]
    fn silence_costs_a_few_packets_and_is_not_dead() {
        // What noise suppression leaves of a quiet room, after two seconds of speech.
        let mut random = fastrand::Rng::with_seed(1);
        let mut sound = speech(5, 2);
        sound.resize(10 * 48_000, 0.0);
        sound.iter_mut().for_each(|x| *x += 0.002 * (random.f32() - 0.5));
        let mut encoder = OpusEncoder::new().unwrap();
        let mut decoder = OpusDecoder::new().unwrap();
        let (mut packets, mut bytes, mut heard) = (0, 0, vec![]);
        for (i, chunk) in sound.as_chunks().0.iter().enumerate() {
            let mut out = [0.0; PACKET_SAMPLES];
            match encoder.encode(chunk).unwrap() {
                Some(packet) => {
                    decoder.decode(&packet, &mut out).unwrap();
                    (packets, bytes) = (packets + 1, bytes + packet.len());
                }
                None => decoder.conceal(&mut out),
            }
            if i == 149 {
                assert!(packets > 100, "{packets}");
                (packets, bytes) = (0, 0);
            }
            heard.extend(out);
        }
        let level = |sound: &[f32]| {
            let quiet = &sound[4 * 48_000..];
            10.0 * (quiet.iter().map(|x| x * x).sum::<f32>() / quiet.len() as f32).log10()
        };
        let (room, comfort) = (level(&sound), level(&heard));
        println!(
            "7 s of silence: {packets} packets, {bytes} bytes; {room:.1} dBFS are {comfort:.1}"
        );
        assert!(packets <= 6 * 7 && bytes <= 250 * 7, "{packets} packets, {bytes} bytes");
        assert!((comfort - room).abs() < 10.0, "{room} dBFS became {comfort}");
    }

    #[test]
    fn silence_is_announced_once_and_then_left_out() {
        let mut encoder = OpusEncoder::new().unwrap();
        let sent: Vec<Bytes> =
            (0..500).filter_map(|_| encoder.encode(&[0.0; 960]).unwrap()).collect();
        assert!(sent.len() <= 65, "{}", sent.len());
        assert!(sent.iter().any(|packet| packet.len() <= SILENCE_BYTES));
        let again = packets(&sine(300.0, 960));
        assert!(again[0].len() > SILENCE_BYTES);
    }

    #[test]
    fn a_steady_tone_is_no_silence() {
        assert_eq!(packets(&sine(440.0, 480_000)).len(), 500);
    }

    #[test]
    fn coarse_copies_cost_next_to_nothing() {
        let sound = speech(4, 6);
        let quality_at = |loss: i32| {
            let mut encoder = OpusEncoder::new().unwrap();
            let mut decoder = OpusDecoder::new().unwrap();
            encoder.encoder.set_packet_loss_perc(loss).unwrap();
            let mut heard = vec![];
            for chunk in sound.as_chunks().0 {
                let packet = encoder.encode(chunk).unwrap().unwrap_or_default();
                let mut out = [0.0; PACKET_SAMPLES];
                decoder.decode(&packet, &mut out).unwrap();
                heard.extend(out);
            }
            // The codec has a delay of its own.
            (200..500)
                .map(|delay| quality(&heard[delay..], &sound[..sound.len() - delay]))
                .fold(f32::MIN, f32::max)
        };
        let (with, without) = (quality_at(EXPECTED_LOSS), quality_at(0));
        println!("{with:.1} dB with copies, {without:.1} dB without");
        assert!(with > without - 1.0, "{with} dB, {without} dB");
    }

    #[test]
    fn nonsense_gives_errors() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut decoder = OpusDecoder::new().unwrap();
        let speech = packets(&speech(3, 1));
        for round in 0..20_000 {
            let mut packet = match round % 2 {
                0 => speech[random.usize(..speech.len())].to_vec(),
                _ => (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
            };
            packet.truncate(random.usize(..=packet.len()));
            if !packet.is_empty() {
                let at = random.usize(..packet.len());
                packet[at] = random.u8(..);
            }
            let Some(info) = decoder.inspect(&packet) else {
                continue;
            };
            let mut out = [0.0; MAX_PACKET_SAMPLES];
            let _ = decoder.recover(&packet, &mut out[..info.samples]);
            let _ = decoder.decode(&packet, &mut out[..info.samples]);
            decoder.conceal(&mut out[..random.usize(1..=480)]);
            assert!(out.iter().all(|x| x.is_finite()));
        }
        assert_eq!(decoder.inspect(&[]), None);
    }
}
