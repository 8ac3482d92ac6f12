//! The tasks that the actor owns: each has a name, none is detached.

use std::{collections::HashMap, fmt, future, time::Duration};

use quartet_proto::PeerId;
use tokio::task::{Id, JoinSet};

use crate::{SourceKind, input::Generation};

/// Which task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskId {
    /// The signalling socket of a call.
    Socket(Generation),
    /// The watcher of a room.
    Watch(Generation),
    /// The connection to a peer.
    Link(PeerId, Generation),
    /// The reading and writing of files, on a thread for blocking work.
    Disk(Generation),
    /// The end of a device, on a thread for blocking work.
    Stop(SourceKind),
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(generation) => write!(f, "signalling socket {generation}"),
            Self::Watch(generation) => write!(f, "room watcher {generation}"),
            Self::Link(peer, generation) => write!(f, "link {generation} to {peer}"),
            Self::Disk(generation) => write!(f, "disk {generation}"),
            Self::Stop(kind) => write!(f, "end of the {kind:?}"),
        }
    }
}

/// The tasks that the actor owns.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    set: JoinSet<()>,
    ids: HashMap<Id, TaskId>,
}

impl Tasks {
    pub(crate) fn spawn(&mut self, id: TaskId, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.ids.insert(handle.id(), id);
    }

    pub(crate) fn spawn_blocking(&mut self, id: TaskId, task: impl FnOnce() + Send + 'static) {
        let handle = self.set.spawn_blocking(task);
        self.ids.insert(handle.id(), id);
    }

    /// How many links there are, those included that are closing.
    pub(crate) fn links(&self) -> usize {
        self.ids.values().filter(|id| matches!(id, TaskId::Link(..))).count()
    }

    /// The next task that ends; waits for ever while there is none. Cancelling it loses nothing.
    pub(crate) async fn ended(&mut self) -> TaskId {
        loop {
            let id = match self.set.join_next_with_id().await {
                None => future::pending().await,
                Some(Ok((id, ()))) => id,
                Some(Err(error)) => {
                    if error.is_panic() {
                        let task = self.ids.get(&error.id()).map(TaskId::to_string);
                        tracing::error!(task, "a task panicked");
                    }
                    error.id()
                }
            };
            if let Some(id) = self.ids.remove(&id) {
                return id;
            }
        }
    }

    /// Waits until all have ended, at most for `deadline`; then names the others in the log and
    /// aborts them. (A thread for blocking work cannot be aborted: it is only named.)
    pub(crate) async fn finish(mut self, deadline: Duration) {
        let all = async {
            while !self.set.is_empty() {
                self.ended().await;
            }
        };
        if tokio::time::timeout(deadline, all).await.is_err() {
            for id in self.ids.values() {
                tracing::error!(task = %id, "still running after the deadline");
            }
            self.set.abort_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_given_up_at_the_deadline() {
        let mut tasks = Tasks::default();
        tasks.spawn(TaskId::Socket(1), async {});
        tasks.spawn(TaskId::Watch(2), future::pending());
        let begin = tokio::time::Instant::now();
        tasks.finish(Duration::from_secs(3)).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_task_that_panics_has_ended_too() {
        let mut tasks = Tasks::default();
        tasks.spawn(TaskId::Watch(7), async { panic!("on purpose") });
        assert_eq!(tasks.ended().await, TaskId::Watch(7));
    }
}
