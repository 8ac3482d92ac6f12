use std::time::{Duration, Instant};

use crate::Rung;

/// Above this share of its time at work, the encoder's thread is about to lose pictures.
const FULL_LOAD: f32 = 0.85;
/// More pictures a second than this that fall out are seen: a tenth of 30.
const FALLING_OUT: f32 = 3.0;
/// How long the machine must be behind before something is taken away: a program that starts, or a
/// garbage collection of the page, is over by then.
const BEHIND_FOR: Duration = Duration::from_millis(1500);
/// Below this load there is room for the next larger rung: it costs four times the one below it,
/// and both together five times, to be kept below [`FULL_LOAD`].
const ROOM: f32 = 0.17;
/// How long there must be room before something is given back.
const ROOM_FOR: Duration = Duration::from_secs(15);
/// What was given back and had to be taken away again this soon was too much: the next try comes
/// later, each time by a factor of 2, up to [`MAX_ROOM_FOR`].
const TOO_MUCH: Duration = Duration::from_secs(20);
const MAX_ROOM_FOR: Duration = Duration::from_secs(120);

/// How the machine keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// The largest rung that is encoded now.
    pub running: Option<Rung>,
    /// Share of the time that the encoder's thread is at work, 0..=1.
    pub encoder: f32,
    /// Pictures that fell out before the encoder, in total; may begin anew at 0.
    pub fell_out: u64,
    /// The decoders of this machine do not keep up with what the others send.
    pub decoders_behind: bool,
}

/// Takes the largest rung away when the machine falls behind, and gives it back when there is room
/// again: one step at a time, the first soon, the second late.
#[derive(Debug)]
pub struct CpuPolicy {
    top: Rung,
    last: Option<(Instant, u64)>,
    behind_since: Option<Instant>,
    room_since: Option<Instant>,
    given_back: Option<Instant>,
    room_for: Duration,
}

impl Default for CpuPolicy {
    fn default() -> Self {
        Self {
            top: Rung::P720,
            last: None,
            behind_since: None,
            room_since: None,
            given_back: None,
            room_for: ROOM_FOR,
        }
    }
}

impl CpuPolicy {
    /// The largest rung that may run.
    #[must_use]
    pub fn top(&self) -> Rung {
        self.top
    }

    /// Something is held back.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.top < Rung::P720
    }

    /// Takes how the machine keeps up now; to be called several times a second or so.
    pub fn update(&mut self, now: Instant, load: &Load) {
        let falling_out = match self.last.replace((now, load.fell_out)) {
            Some((at, fell_out)) if now > at => {
                let seconds = now.saturating_duration_since(at).as_secs_f32();
                load.fell_out.saturating_sub(fell_out) as f32 / seconds > FALLING_OUT
            }
            _ => false,
        };
        let running = load.running.unwrap_or(Rung::P180);
        let behind = load.decoders_behind
            || load.running.is_some() && (load.encoder > FULL_LOAD || falling_out);
        let room = !behind && load.encoder < ROOM;
        self.behind_since = behind.then(|| self.behind_since.unwrap_or(now));
        self.room_since = room.then(|| self.room_since.unwrap_or(now));

        let lasts = |since: Option<Instant>, time| since.is_some_and(|since| now >= since + time);
        if lasts(self.behind_since, BEHIND_FOR) {
            self.behind_since = None;
            if let Some(lower) = self.top.min(running).below() {
                let too_soon = self.given_back.is_some_and(|at| now < at + TOO_MUCH);
                self.room_for =
                    if too_soon { (self.room_for * 2).min(MAX_ROOM_FOR) } else { ROOM_FOR };
                self.top = lower;
            }
        } else if lasts(self.room_since, self.room_for) {
            self.room_since = None;
            if let Some(higher) = self.top.above() {
                self.top = higher;
                self.given_back = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Updates 5 times a second; what the top is afterwards.
    fn run(policy: &mut CpuPolicy, now: &mut Instant, seconds: f32, load: Load) -> Rung {
        for _ in 0..(seconds * 5.0) as u32 {
            *now += Duration::from_millis(200);
            policy.update(*now, &load);
        }
        policy.top()
    }

    const IDLE: Load =
        Load { running: Some(Rung::P360), encoder: 0.1, fell_out: 0, decoders_behind: false };

    fn overloaded(running: Rung) -> Load {
        Load { running: Some(running), encoder: 0.95, ..IDLE }
    }

    #[test]
    fn the_largest_rung_goes_when_the_encoder_is_behind_for_long() {
        let (mut policy, mut now) = (CpuPolicy::default(), Instant::now());
        let full = overloaded(Rung::P720);
        assert_eq!(run(&mut policy, &mut now, 1.4, full), Rung::P720);
        assert_eq!(run(&mut policy, &mut now, 0.4, IDLE), Rung::P720);
        assert_eq!(run(&mut policy, &mut now, 1.4, full), Rung::P720);
        assert_eq!(run(&mut policy, &mut now, 0.6, full), Rung::P360);
        assert!(policy.is_busy());
        // One step at a time, and never the last.
        assert_eq!(run(&mut policy, &mut now, 1.4, overloaded(Rung::P360)), Rung::P360);
        assert_eq!(run(&mut policy, &mut now, 1.0, overloaded(Rung::P360)), Rung::P180);
        assert_eq!(run(&mut policy, &mut now, 60.0, overloaded(Rung::P180)), Rung::P180);
    }

    #[test]
    fn what_does_not_run_cannot_be_taken_away() {
        let (mut policy, mut now) = (CpuPolicy::default(), Instant::now());
        assert_eq!(run(&mut policy, &mut now, 2.0, overloaded(Rung::P360)), Rung::P180);
    }

    #[test]
    fn pictures_that_fall_out_and_slow_decoders_count_too() {
        let (mut policy, mut now) = (CpuPolicy::default(), Instant::now());
        for count in 0..10 {
            now += Duration::from_millis(200);
            policy.update(now, &Load { running: Some(Rung::P720), fell_out: count, ..IDLE });
        }
        assert_eq!(policy.top(), Rung::P360);
        let decoders = Load { decoders_behind: true, ..IDLE };
        assert_eq!(run(&mut policy, &mut now, 2.0, decoders), Rung::P180);
    }

    #[test]
    fn it_comes_back_after_long_room_and_later_where_that_was_too_much() {
        let (mut policy, mut now) = (CpuPolicy::default(), Instant::now());
        run(&mut policy, &mut now, 2.0, overloaded(Rung::P720));
        assert_eq!(run(&mut policy, &mut now, 14.0, IDLE), Rung::P360);
        assert_eq!(run(&mut policy, &mut now, 2.0, IDLE), Rung::P720);
        assert!(!policy.is_busy());
        assert_eq!(run(&mut policy, &mut now, 2.0, overloaded(Rung::P720)), Rung::P360);
        assert_eq!(run(&mut policy, &mut now, 29.0, IDLE), Rung::P360);
        assert_eq!(run(&mut policy, &mut now, 2.0, IDLE), Rung::P720);
        // It held for long: the next wait is the usual one again.
        run(&mut policy, &mut now, 60.0, Load { running: Some(Rung::P720), ..IDLE });
        assert_eq!(run(&mut policy, &mut now, 2.0, overloaded(Rung::P720)), Rung::P360);
        assert_eq!(run(&mut policy, &mut now, 16.0, IDLE), Rung::P720);
    }

    #[test]
    fn a_load_without_room_keeps_things_as_they_are() {
        let (mut policy, mut now) = (CpuPolicy::default(), Instant::now());
        run(&mut policy, &mut now, 2.0, overloaded(Rung::P720));
        let half = Load { encoder: 0.4, ..IDLE };
        assert_eq!(run(&mut policy, &mut now, 600.0, half), Rung::P360);
    }

    #[test]
    fn an_idle_camera_and_a_counter_that_begins_anew_are_no_load() {
        let (mut policy, mut now) = (CpuPolicy::default(), Instant::now());
        for fell_out in [100, 0, 100, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] {
            now += Duration::from_millis(200);
            policy.update(now, &Load { running: None, encoder: 1.0, fell_out, ..IDLE });
        }
        assert_eq!(policy.top(), Rung::P720);
    }
}
