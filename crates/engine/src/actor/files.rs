//! The files of the call: between the transfers, the links and the disk's thread.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Instant,
};

use quartet_core::transfer::{FileFault, FilePhase, Input, Job, Output, Transfers};
use quartet_proto::{FileId, PeerId};

use super::{Actor, Call};
use crate::{
    Event,
    disk::{Disk, DiskNews, Task},
    input::Generation,
    tasks::TaskId,
};

/// What a call knows of files.
#[derive(Debug, Default)]
pub(super) struct Files {
    transfers: Transfers,
    /// From the first file on.
    disk: Option<(Generation, Disk)>,
    /// Where the user wants what comes.
    folders: HashMap<FileId, PathBuf>,
    jobs: HashMap<Job, FileId>,
}

impl Call {
    pub(super) fn files_timeout(&self) -> Option<Instant> {
        self.files.transfers.poll_timeout()
    }
}

impl Actor {
    /// Hashes a file and offers it.
    pub(super) fn offer_file(&mut self, path: &Path, to: Option<PeerId>) {
        let may = self.call.as_ref().is_some_and(|call| call.files.transfers.may_offer());
        if !may || !self.ask_disk(Task::Offer(path.to_owned(), to)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.events.send(Event::FileNotOffered { name });
        }
    }

    pub(super) fn accept_file(&mut self, file: FileId, folder: PathBuf) {
        if let Some(call) = &mut self.call {
            call.files.folders.insert(file, folder);
        }
        self.tell_files(Input::Accept(file));
    }

    pub(super) fn tell_files(&mut self, input: Input) {
        if let Some(call) = &mut self.call {
            call.files.transfers.handle(Instant::now(), input);
            self.carry_out_files();
        }
    }

    pub(super) fn files_due(&mut self, now: Instant) {
        if let Some(call) = &mut self.call {
            call.files.transfers.handle_timeout(now);
            self.carry_out_files();
        }
    }

    pub(super) fn disk_news(&mut self, generation: Generation, news: DiskNews) {
        let Some(call) = &mut self.call else { return };
        if call.files.disk.as_ref().is_none_or(|(current, _)| *current != generation) {
            return;
        }
        let input = match news {
            DiskNews::Hashing(name, bytes, of) => {
                return self.events.send(Event::FileHashing { name, bytes, of });
            }
            DiskNews::Unreadable(name) => return self.events.send(Event::FileNotOffered { name }),
            DiskNews::Hashed(offer, to) => {
                let (name, bytes, of) = (offer.name.clone(), offer.size, offer.size);
                self.events.send(Event::FileHashing { name, bytes, of });
                Input::Offer(offer, to)
            }
            DiskNews::Begun(job, result) => Input::Begun(job, result),
            DiskNews::Stored(job, part, result) => Input::Stored(job, part, result),
            DiskNews::Finished(job, result) => {
                if let (Some(file), Ok(path)) = (call.files.jobs.get(&job), &result) {
                    let (file, path) = (*file, path.clone());
                    self.events.send(Event::FileSaved { file, path });
                }
                Input::Finished(job, result.map(|_| ()))
            }
            DiskNews::Read(token, result) => Input::Read(token, result),
        };
        self.tell_files(input);
    }

    /// Its thread has ended, which it does only when it is told to, or broken.
    pub(super) fn disk_ended(&mut self, generation: Generation) {
        if let Some(call) = &mut self.call
            && call.files.disk.as_ref().is_some_and(|(current, _)| *current == generation)
        {
            call.files.disk = None;
        }
    }

    fn ask_disk(&mut self, task: Task) -> bool {
        if self.call.as_ref().is_some_and(|call| call.files.disk.is_none()) {
            let generation = self.next_generation();
            let (disk, work) = Disk::new(generation, self.inputs.clone());
            self.tasks.spawn_blocking(TaskId::Disk(generation), work);
            if let Some(call) = &mut self.call {
                call.files.disk = Some((generation, disk));
            }
        }
        let disk = self.call.as_ref().and_then(|call| call.files.disk.as_ref());
        disk.is_some_and(|(_, disk)| disk.ask(task))
    }

    fn carry_out_files(&mut self) {
        while let Some(call) = &mut self.call {
            let Some(output) = call.files.transfers.poll() else { return };
            let link = |peer: PeerId| call.peers.get(&peer).and_then(|peer| peer.open_link());
            let (task, failed) = match output {
                Output::Say(peer, message) => {
                    if let Some(link) = link(peer) {
                        link.say_of_files(message);
                    }
                    continue;
                }
                Output::Send(peer, id, bytes) => {
                    if let Some(link) = link(peer) {
                        link.send_of_file(id, bytes);
                    }
                    continue;
                }
                Output::Show(state) => {
                    if let FilePhase::Failed(fault) = state.phase {
                        tracing::info!(outgoing = state.outgoing, ?fault, "a file does not go on");
                    }
                    self.events.send(Event::File(state));
                    continue;
                }
                Output::Begin(job, offer) => {
                    call.files.jobs.insert(job, offer.file);
                    let failed = Some(Input::Begun(job, Err(FileFault::Unwritable)));
                    match call.files.folders.get(&offer.file) {
                        Some(folder) => (Some(Task::Begin(job, offer, folder.clone())), failed),
                        None => (None, failed),
                    }
                }
                Output::Store(job, part, bytes) => {
                    let failed = Input::Stored(job, part, Err(FileFault::Unwritable));
                    (Some(Task::Store(job, part, bytes)), Some(failed))
                }
                Output::Finish(job) => {
                    let failed = Input::Finished(job, Err(FileFault::Unwritable));
                    (Some(Task::Finish(job)), Some(failed))
                }
                Output::Close(job) => (Some(Task::Close(job)), None),
                Output::Discard(job) => (Some(Task::Discard(job)), None),
                Output::Read { token, file, part } => {
                    let failed = Input::Read(token, Err(FileFault::Unreadable));
                    (Some(Task::Read(token, file, part)), Some(failed))
                }
            };
            if !task.is_some_and(|task| self.ask_disk(task))
                && let (Some(failed), Some(call)) = (failed, &mut self.call)
            {
                tracing::error!("the disk does not keep up");
                call.files.transfers.handle(Instant::now(), failed);
            }
        }
    }
}
