//! One direction of one pair, from what was written down of it.

use serde::Serialize;

use super::{
    Captures, Picture, PictureFigures, VoiceFigures, VoiceSample, Window, growth, percentile,
    picture_figures, voice_figures,
};

/// What was written down of one person's picture and voice at another's; times are in Unix seconds
/// and in rising order.
#[derive(Debug, Clone, Default)]
pub struct StreamRecord {
    /// Whose picture and voice.
    pub from: String,
    /// Who saw and heard it.
    pub to: String,
    /// When the one who saw it was in the room.
    pub joined_at: Option<f64>,
    /// When the two were connected.
    pub connected_at: Option<f64>,
    /// The pictures that were ready to show.
    pub pictures: Vec<Picture>,
    /// The same when they were given to the screen, where a program does that and says so.
    pub shown: Vec<Picture>,
    /// Bytes of pictures that had come, without packet headers, at each look.
    pub video_bytes: Vec<(f64, f64)>,
    /// Looks at the voice.
    pub voice: Vec<VoiceSample>,
}

/// What one person saw and heard of another.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StreamFigures {
    /// Whose picture and voice.
    pub from: String,
    /// Who saw and heard it.
    pub to: String,
    /// From being in the room to being connected, in ms.
    pub connected_ms: Option<f64>,
    /// From being in the room to the first picture ready to show, in ms.
    pub first_picture_ms: Option<f64>,
    /// Of the pictures, without packet headers.
    pub video_kbps: f64,
    /// The pictures.
    #[serde(flatten)]
    pub pictures: PictureFigures,
    /// From capture to the screen, where a program shows pictures.
    pub shown_p50_ms: Option<f64>,
    /// Of the slowest in twenty.
    pub shown_p95_ms: Option<f64>,
    /// The voice.
    #[serde(flatten)]
    pub voice: VoiceFigures,
    /// Second by second.
    pub seconds: Vec<SecondFigures>,
}

/// One second of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecondFigures {
    /// Its beginning, in seconds of the scenario.
    pub t: f64,
    /// Pictures a second.
    pub fps: f64,
    /// Of most of its pictures, in pixels; 0 without one.
    pub height: u32,
    /// Of the pictures.
    pub kbps: f64,
    /// From capture to ready to show, of the slowest in twenty, in ms.
    pub latency_p95_ms: Option<f64>,
    /// Share of the played voice that was made up, 0..=1.
    pub concealed: f64,
}

impl StreamRecord {
    /// The figures of a window; `captures` are those of the one who sent.
    #[must_use]
    pub fn figures(&self, captures: &Captures, window: Window) -> StreamFigures {
        let since_joined = |at: Option<f64>| Some((at? - self.joined_at?) * 1000.0);
        let kbps =
            |window: Window| growth(&self.video_bytes, window) * 8.0 / 1000.0 / window.seconds();
        let second = |second: Window| {
            let pictures = picture_figures(&self.pictures, captures, second);
            SecondFigures {
                t: second.from - second.zero,
                fps: pictures.fps,
                height: pictures.height,
                kbps: kbps(second),
                latency_p95_ms: pictures.latency_p95_ms,
                concealed: voice_figures(&self.voice, second).concealed,
            }
        };
        let shown = self.shown.iter().filter(|picture| window.contains(picture.at));
        let shown = captures.latencies_ms(shown);
        StreamFigures {
            from: self.from.clone(),
            to: self.to.clone(),
            connected_ms: since_joined(self.connected_at),
            first_picture_ms: since_joined(self.pictures.first().map(|picture| picture.at)),
            video_kbps: kbps(window),
            pictures: picture_figures(&self.pictures, captures, window),
            shown_p50_ms: percentile(&shown, 50),
            shown_p95_ms: percentile(&shown, 95),
            voice: voice_figures(&self.voice, window),
            seconds: window.each_second().map(second).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_figures() {
        let pictures = (0..90).map(|number| Picture {
            number: Some(number),
            at: 10.5 + f64::from(number) / 30.0,
            width: 320,
            height: 180,
        });
        let record = StreamRecord {
            joined_at: Some(10.0),
            connected_at: Some(10.25),
            pictures: pictures.collect(),
            video_bytes: vec![(10.0, 0.0), (14.0, 250_000.0)],
            ..StreamRecord::default()
        };
        let captures = Captures::new((0..90).map(|n| (n, 10.46 + f64::from(n) / 30.0)));
        let figures = record.figures(&captures, Window { zero: 10.0, from: 11.0, to: 13.0 });
        assert_eq!((figures.connected_ms, figures.first_picture_ms), (Some(250.0), Some(500.0)));
        assert!((figures.video_kbps - 500.0).abs() < 1e-9);
        let [one, two] = figures.seconds.as_slice() else { panic!("{:?}", figures.seconds) };
        assert_eq!((one.t, two.t, two.height), (1.0, 2.0, 180));
        assert!((one.latency_p95_ms.unwrap() - 40.0).abs() < 0.01);
    }
}
