//! Which device runs, and which should: one thing at a time is opened, and the one before is
//! closed first, because a camera can be open only once.

use std::sync::Arc;

use crate::input::Generation;

/// Names what a device is made of, so that a change can be told from no change.
pub(crate) trait Source: Clone {
    fn is(&self, other: &Self) -> bool;
}

impl<T: ?Sized> Source for Arc<T> {
    fn is(&self, other: &Self) -> bool {
        Self::ptr_eq(self, other)
    }
}

impl<S: Source> Source for Option<S> {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(one), Some(other)) => one.is(other),
            (None, None) => true,
            _ => false,
        }
    }
}

/// A device of the own side: made of a source `S`, run by a handle `H`.
#[derive(Debug)]
pub(crate) struct Device<S, H> {
    state: State<S, H>,
    /// It did not work, and is not tried again before another one, or none, is chosen.
    failed: Option<S>,
}

#[derive(Debug)]
enum State<S, H> {
    Idle,
    Running {
        source: S,
        handle: H,
        generation: Generation,
    },
    /// A thread waits for its end.
    Stopping,
}

impl<S, H> Default for Device<S, H> {
    fn default() -> Self {
        Self { state: State::Idle, failed: None }
    }
}

impl<S: Source, H> Device<S, H> {
    /// Another choice gives what has failed a new chance.
    pub(crate) fn choose(&mut self, chosen: Option<&S>) {
        if chosen.is_none_or(|chosen| self.usable(chosen)) {
            self.failed = None;
        }
    }

    /// The handle to stop, when something else than `wanted` runs; call [`Self::stopped`] after.
    pub(crate) fn surplus(&mut self, wanted: Option<&S>) -> Option<H> {
        match &self.state {
            State::Running { source, .. } if !wanted.is_some_and(|wanted| wanted.is(source)) => {}
            _ => return None,
        }
        match std::mem::replace(&mut self.state, State::Stopping) {
            State::Running { handle, .. } => Some(handle),
            State::Idle | State::Stopping => None,
        }
    }

    /// What can be started now, of what is wanted.
    pub(crate) fn startable(&mut self, wanted: Option<S>) -> Option<S> {
        let wanted = wanted?;
        if self.failed.as_ref().is_some_and(|failed| failed.is(&wanted)) {
            return None;
        }
        matches!(self.state, State::Idle).then_some(wanted)
    }

    pub(crate) fn started(&mut self, source: S, handle: H, generation: Generation) {
        self.state = State::Running { source, handle, generation };
    }

    /// Its thread has ended.
    pub(crate) fn stopped(&mut self) {
        self.state = State::Idle;
    }

    /// The run of this number has failed; false when it is another one that runs.
    pub(crate) fn fail(&mut self, failed_generation: Generation) -> bool {
        match &self.state {
            State::Running { source, generation, .. } if *generation == failed_generation => {
                self.failed = Some(source.clone());
                true
            }
            _ => false,
        }
    }

    /// This source runs, or is not known to fail.
    pub(crate) fn usable(&self, source: &S) -> bool {
        !self.failed.as_ref().is_some_and(|failed| failed.is(source))
    }

    pub(crate) fn is_current(&self, number: Generation) -> bool {
        matches!(&self.state, State::Running { generation, .. } if *generation == number)
    }

    pub(crate) fn running(&self) -> Option<&H> {
        match &self.state {
            State::Running { handle, .. } => Some(handle),
            State::Idle | State::Stopping => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_device_is_opened_only_when_the_last_one_is_closed() {
        let (front, back) = (Arc::new("front"), Arc::new("back"));
        let mut camera = Device::default();
        assert_eq!(camera.startable(Some(Arc::clone(&front))), Some(Arc::clone(&front)));
        camera.started(Arc::clone(&front), (), 1);
        assert_eq!(camera.surplus(Some(&front)), None);
        assert_eq!(camera.surplus(Some(&back)), Some(()));
        assert_eq!(camera.startable(Some(Arc::clone(&back))), None);
        camera.stopped();
        assert_eq!(camera.startable(Some(Arc::clone(&back))), Some(back));
    }

    #[test]
    fn a_failed_device_is_not_tried_again_before_it_is_chosen_anew() {
        let broken = Arc::new("camera");
        let mut camera = Device::default();
        camera.started(Arc::clone(&broken), (), 1);
        assert!(!camera.fail(7));
        assert!(camera.fail(1));
        assert_eq!(camera.surplus(None), Some(()));
        camera.stopped();
        assert_eq!(camera.startable(Some(broken)), None);
        // The same device, from a new device list.
        assert!(camera.startable(Some(Arc::new("camera"))).is_some());
    }

    #[test]
    fn a_failed_device_gets_a_new_chance_after_another_choice() {
        let broken = Arc::new("camera");
        let mut camera = Device::default();
        camera.started(Arc::clone(&broken), (), 1);
        assert!(camera.fail(1));
        camera.choose(Some(&broken));
        assert!(!camera.usable(&broken), "the same choice is none");
        camera.choose(None);
        assert!(camera.usable(&broken));
    }
}
