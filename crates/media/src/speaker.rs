//! Plays the voices of a call.

use std::sync::Arc;

use crate::{
    AudioOutput, Ended, Mixer,
    pace::Pace,
    worker::{EndedOnce, Worker},
};

/// Takes sound from a [`Mixer`] every 10 ms, at the pace of a speaker if there is one; stops when
/// dropped.
#[derive(Debug)]
pub struct Speaker {
    worker: Worker,
}

impl Speaker {
    /// Plays on a thread. Without a speaker, and after it has failed, a clock takes its place:
    /// voices are decoded, metered and recorded as ever.
    ///
    /// `ended` is called once: when the speaker fails, or when this is stopped.
    #[must_use]
    pub fn start(output: Option<Arc<dyn AudioOutput>>, mixer: Mixer, ended: Ended) -> Self {
        let label = output.as_ref().map_or_else(String::new, |output| output.label());
        let mut ended = EndedOnce::new(label, ended);
        let worker = Worker::start("speaker", move |stop| {
            if let Some(output) = output {
                let result = output.run(&mut |frame| mixer.fill(frame), stop);
                if result.is_err() {
                    ended.call(result);
                }
            }
            let mut pace = Pace::start();
            while !pace.wait(stop) {
                mixer.fill(&mut [0.0; _]);
            }
            ended.call(Ok(()));
        });
        Self { worker }
    }

    /// Closes the speaker; waits for it, for 2 s at most.
    pub fn stop(mut self) {
        self.worker.stop();
    }
}
