//! Makes sound a pitch period shorter or longer, by the cheapest kind of time-domain overlap-add.

/// 2.5 ms: the shortest piece worth a splice.
const SHORTEST: usize = 120;
/// 10 ms: a period of 100 Hz; of lower voices, the overlap hides the difference.
const LONGEST: usize = 480;
/// Length of the cross-fade, and of what is compared.
const OVERLAP: usize = 480;
/// The search is done on means of so many samples first.
const COARSE: usize = 4;
/// Correlation from which a splice is not heard (NetEq: 0.9).
const ALIKE: f32 = 0.9;
/// The same when there is hurry.
const ALIKE_ENOUGH: f32 = 0.5;
/// −50 dBFS: below it no splice is heard.
const QUIET: f32 = 0.003;

/// Changes the length of sound; owns what it needs for it, so that nothing is allocated each time.
#[derive(Debug)]
pub(super) struct Stretch {
    coarse: Vec<f32>,
    piece: Vec<f32>,
}

impl Stretch {
    pub(super) fn new() -> Self {
        let coarse = Vec::with_capacity((LONGEST + OVERLAP) / COARSE);
        Self { coarse, piece: Vec::with_capacity(OVERLAP.max(LONGEST)) }
    }

    /// Cuts out a piece of at most `most` samples; gives its length, 0 when it would be heard.
    pub(super) fn shorten(&mut self, sound: &mut Vec<f32>, most: usize, urgent: bool) -> usize {
        let Some(period) = self.find_period(sound, most, urgent) else {
            return 0;
        };
        // A copy: a period may be shorter than the overlap, which would read what it has written.
        self.keep(&sound[..OVERLAP]);
        sound.drain(..period);
        for (i, from) in self.piece.iter().enumerate() {
            sound[i] = cross_fade(*from, sound[i], i);
        }
        period
    }

    /// Repeats a piece; gives its length, 0 when it would be heard.
    pub(super) fn lengthen(&mut self, sound: &mut Vec<f32>, urgent: bool) -> usize {
        let Some(period) = self.find_period(sound, LONGEST, urgent) else {
            return 0;
        };
        self.keep(&sound[..period]);
        for i in 0..OVERLAP {
            sound[i] = cross_fade(sound[period + i], sound[i], i);
        }
        let length = sound.len();
        sound.resize(length + period, 0.0);
        sound.copy_within(..length, period);
        sound[..period].copy_from_slice(&self.piece);
        period
    }

    fn keep(&mut self, piece: &[f32]) {
        self.piece.clear();
        self.piece.extend_from_slice(piece);
    }

    /// The distance at which the sound repeats itself best.
    fn find_period(&mut self, sound: &[f32], most: usize, urgent: bool) -> Option<usize> {
        let longest = most.min(LONGEST).min(sound.len().saturating_sub(OVERLAP));
        if longest < SHORTEST {
            return None;
        }
        let heard = &sound[..longest + OVERLAP];
        if heard.iter().map(|x| x * x).sum::<f32>() < QUIET * QUIET * heard.len() as f32 {
            return Some(longest);
        }
        self.coarse.clear();
        self.coarse.extend(heard.chunks_exact(COARSE).map(|chunk| chunk.iter().sum::<f32>()));
        let lags = SHORTEST / COARSE..=longest / COARSE;
        let (lag, _) = best(&self.coarse, lags, OVERLAP / COARSE - 1)?;
        let near = (lag * COARSE).saturating_sub(COARSE).max(SHORTEST);
        let (lag, likeness) = best(heard, near..=(lag * COARSE + COARSE).min(longest), OVERLAP)?;
        (likeness >= if urgent { ALIKE_ENOUGH } else { ALIKE }).then_some(lag)
    }
}

fn cross_fade(from: f32, to: f32, i: usize) -> f32 {
    let share = (i as f32 + 0.5) / OVERLAP as f32;
    from + (to - from) * share
}

fn best(
    sound: &[f32],
    lags: std::ops::RangeInclusive<usize>,
    length: usize,
) -> Option<(usize, f32)> {
    lags.filter_map(|lag| {
        let later = sound.get(lag..lag + length)?;
        Some((lag, likeness(sound.get(..length)?, later)))
    })
    .max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Normalised correlation, −1..=1.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let (mut product, mut energy_a, mut energy_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        product += a * b;
        energy_a += a * a;
        energy_b += b * b;
    }
    product / (energy_a * energy_b).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, length: usize) -> Vec<f32> {
        (0..length)
            .map(|i| 0.25 * (std::f32::consts::TAU * hz * i as f32 / 48_000.0).sin())
            .collect()
    }

    fn steepest(sound: &[f32]) -> f32 {
        sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_stays_a_tone() {
        let mut stretch = Stretch::new();
        for hz in [150.0, 440.0, 997.0] {
            let original = tone(hz, 960);
            let mut sound = original.clone();
            let cut = stretch.shorten(&mut sound, 480, false);
            assert!(cut >= SHORTEST && sound.len() == 960 - cut, "{hz} Hz: {cut}");
            assert!(steepest(&sound) < 1.1 * steepest(&original), "{hz} Hz");
            stretch.lengthen(&mut sound, false);
            assert!(steepest(&sound) < 1.1 * steepest(&original), "{hz} Hz, cut and lengthened");
            let mut sound = original.clone();
            let added = stretch.lengthen(&mut sound, false);
            assert!(added >= SHORTEST && sound.len() == 960 + added, "{hz} Hz: {added}");
            assert!(steepest(&sound) < 1.1 * steepest(&original), "{hz} Hz");
        }
    }

    #[test]
    fn noise_is_left_alone_unless_quiet() {
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<f32> = (0..960).map(|_| random.f32() - 0.5).collect();
        let mut stretch = Stretch::new();
        assert_eq!(stretch.shorten(&mut noise.clone(), 480, false), 0);
        let mut quiet: Vec<f32> = noise.iter().map(|x| x * 0.002).collect();
        assert_eq!(stretch.shorten(&mut quiet, 300, false), 300);
    }
}
