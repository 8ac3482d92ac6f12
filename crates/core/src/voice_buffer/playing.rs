//! The half of the buffer that gives sound: decoding, filling holes, keeping the pace.

use super::{Pause, RECENT_PULLS, State, VoiceBuffer, VoiceDecoder, VoiceTuning, samples};
use crate::{SAMPLE_RATE, SAMPLES_PER_10_MS};

impl<D: VoiceDecoder> VoiceBuffer<D> {
    /// Fills `ready` up to `wanted` samples, or until the first packet's time has come.
    pub(super) fn wait(&mut self, now: i64, pause: Pause, wanted: usize) {
        let missing = wanted - self.ready.len();
        let at = now + self.ready.len() as i64;
        let due = self.first_due(at);
        if due.is_some_and(|due| due <= 0) {
            self.begin();
            return;
        }
        let length = due.map_or(missing, |due| missing.min(due as usize));
        if pause == Pause::Planned {
            self.decoder.conceal(&mut self.scratch[..length]);
            self.ready.extend_from_slice(&self.scratch[..length]);
        } else {
            self.ready.resize(self.ready.len() + length, 0.0);
            self.gain = 0.0;
        }
        if pause == Pause::Stalled {
            self.doubtful += length as i64;
        }
    }

    /// In how many samples the first packet is to be played; drops those that are far too old.
    fn first_due(&mut self, at: i64) -> Option<i64> {
        let offset = self.playout_offset()?;
        loop {
            let due = self.packets.first_key_value()?.1.timestamp + offset - at;
            if due >= -samples(self.tuning.skip) || self.packets.len() == 1 {
                return Some(due);
            }
            self.packets.pop_first();
            self.totals.discarded += 1;
        }
    }

    /// Plays from the first packet on.
    fn begin(&mut self) {
        let Some((&sequence, first)) = self.packets.first_key_value() else {
            return;
        };
        let (timestamp, length) = (first.timestamp, first.info.samples as i64);
        let lost = self.decoded.map_or(0, |decoded| sequence - decoded - 1);
        self.settle(timestamp - self.position - lost * length);
        self.decoded = Some(sequence - 1);
        self.position = timestamp;
        self.covered = 0;
        self.state = State::Playing;
    }

    /// It is known now how much of the silence was planned.
    pub(super) fn settle(&mut self, planned: i64) {
        self.totals.concealed += (self.doubtful - planned.max(0)).max(0);
        self.doubtful = 0;
    }

    /// Appends sound to `ready`, or pauses.
    pub(super) fn play(&mut self) {
        let Some((&sequence, head)) = self.packets.first_key_value() else {
            self.starve();
            return;
        };
        let info = head.info;
        let length = info.samples as i64;
        let gap = head.timestamp - self.position;
        let lost = self.decoded.map_or(0, |decoded| sequence - decoded - 1);
        let missing = gap.min(lost * length) - self.covered;
        self.settle(gap - lost * length);
        if gap <= self.covered {
            self.decode_first();
        } else if missing <= 0 {
            self.pause(Pause::Planned);
        } else if info.redundant && missing <= length {
            self.recover(missing);
        } else {
            let guessed = if info.redundant { missing - length } else { missing };
            self.conceal(guessed.min(SAMPLES_PER_10_MS as i64));
        }
    }

    /// There is nothing to play: lost, late or silence, nobody knows yet.
    fn starve(&mut self) {
        if self.covered >= samples(self.tuning.max_conceal) {
            self.pause(Pause::Stalled);
            return;
        }
        let length = SAMPLES_PER_10_MS as i64;
        self.conceal(length);
        self.totals.concealed -= length;
        self.doubtful += length;
    }

    fn conceal(&mut self, length: i64) {
        let out = &mut self.scratch[..length as usize];
        self.decoder.conceal(out);
        self.covered += length;
        self.totals.concealed += length;
        let VoiceTuning { fade_after, max_conceal, .. } = self.tuning;
        let faded = (self.covered - samples(fade_after)) as f32
            / samples(max_conceal.saturating_sub(fade_after)).max(1) as f32;
        let gain = self.gain.min(1.0 - faded.clamp(0.0, 1.0));
        ramp(out, self.gain, gain);
        self.gain = gain;
        self.ready.extend_from_slice(out);
    }

    /// The last `missing` samples before the first packet, from that packet.
    fn recover(&mut self, missing: i64) {
        let Some((_, head)) = self.packets.first_key_value() else {
            return;
        };
        let out = &mut self.scratch[..head.info.samples];
        if self.decoder.recover(&head.payload, out).is_err() {
            self.conceal(missing.min(SAMPLES_PER_10_MS as i64));
            return;
        }
        let skipped = out.len() - missing as usize;
        self.totals.recovered += missing;
        self.totals.sound += missing;
        self.covered += missing;
        self.append(skipped..skipped + missing as usize);
    }

    fn decode_first(&mut self) {
        let Some((sequence, packet)) = self.packets.pop_first() else {
            return;
        };
        let length = packet.info.samples;
        let decoded = self.decoder.decode(&packet.payload, &mut self.scratch[..length]);
        self.decoded = Some(sequence);
        self.position = packet.timestamp;
        self.covered = 0;
        if decoded.is_err() {
            self.totals.discarded += 1;
            self.conceal(length as i64);
            self.covered = 0;
        } else {
            self.totals.sound += length as i64;
            self.totals.recovered += if packet.copy { length as i64 } else { 0 };
            self.append(0..length);
        }
        self.position += length as i64;
        if packet.info.silence {
            self.pause(Pause::Planned);
        } else {
            self.adapt();
        }
    }

    /// Appends decoded sound, faded in after concealment.
    fn append(&mut self, range: std::ops::Range<usize>) {
        /// 5 ms: no click, and too short to be missed.
        const FADE_IN: usize = SAMPLE_RATE as usize / 200;
        let sound = &mut self.scratch[range];
        if self.gain < 1.0 {
            let fade = sound.len().min(FADE_IN);
            ramp(&mut sound[..fade], self.gain, 1.0);
            self.gain = 1.0;
        }
        self.ready.extend_from_slice(sound);
    }

    pub(super) fn note_lag(&mut self, now: i64) {
        if self.state == State::Playing && self.covered == 0 {
            self.lags[self.pulls % RECENT_PULLS] = now - (self.position - self.ready.len() as i64);
            self.pulls += 1;
        }
    }

    pub(super) fn last_lag(&self) -> i64 {
        self.lags[(self.pulls + RECENT_PULLS - 1) % RECENT_PULLS]
    }

    /// Shortens or lengthens what is ready when it is played too late or too early.
    fn adapt(&mut self) {
        let Some(offset) = self.playout_offset().filter(|_| self.pulls >= RECENT_PULLS) else {
            return;
        };
        let lag = self.lags.iter().copied().min().unwrap_or(offset);
        let late = lag - offset;
        // A voice that is far from where it should be is heard to hurry, or to drag, either way.
        let urgent = late.abs() > samples(self.tuning.urgent);
        let change = if late > samples(self.tuning.skip) {
            self.gain = 0.0;
            self.pause(Pause::Fresh);
            return;
        } else if late > samples(self.tuning.slack) {
            -(self.stretch.shorten(&mut self.ready, late as usize, urgent) as i64)
        } else if late < -samples(self.tuning.haste) {
            let once = self.stretch.lengthen(&mut self.ready, urgent);
            let again = if urgent { self.stretch.lengthen(&mut self.ready, urgent) } else { 0 };
            (once + again) as i64
        } else {
            0
        };
        self.totals.sound += change;
        for lag in &mut self.lags {
            *lag += change;
        }
    }
}

/// Linear change of volume.
fn ramp(sound: &mut [f32], from: f32, to: f32) {
    let step = (to - from) / sound.len().max(1) as f32;
    for (i, sample) in sound.iter_mut().enumerate() {
        *sample *= from + step * (i + 1) as f32;
    }
}
