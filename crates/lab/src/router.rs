//! The wire between the namespaces: one thread that reads what each sends, delays and loses it as
//! the scenario says, and gives it to the one it is for.
//!
//! It sleeps in poll(2) until a packet comes or is due, so that it takes little CPU; it goes
//! before all other programs, so that a full machine does not lengthen its delays.

mod switch;
mod traffic;

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use quartet_testkit::network::{Direction, PathConfig};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
    time::{ClockId, clock_gettime},
};

use crate::{
    kernel::{self, Tun},
    namespace::MTU,
};

pub use self::{
    switch::{Attachment, Switch},
    traffic::{PathTraffic, Sample, Traffic},
};

/// Packets taken from one namespace before the others get their turn.
const BATCH: usize = 32;

/// A running router; [`Router::stop`] ends it and gives what it saw.
#[derive(Debug)]
pub(crate) struct Router {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<io::Result<Traffic>>>,
}

#[derive(Debug)]
enum Command {
    SetPath(usize, Direction, PathConfig),
    Readdress(usize, Ipv4Addr),
}

impl Router {
    /// Starts one between these namespaces.
    pub(crate) fn start(ends: Vec<(Tun, Attachment)>) -> io::Result<Self> {
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let woken = Arc::clone(&wake);
        let (commands, inbox) = channel();
        let thread = std::thread::Builder::new().name("router".to_owned()).spawn(move || {
            let (tuns, attachments): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
            run(&tuns, Switch::new(attachments, Instant::now()), &inbox, &woken)
        })?;
        Ok(Self { commands, wake, thread: Some(thread) })
    }

    /// Changes a path of the namespace of this number.
    pub(crate) fn set_path(&self, end: usize, direction: Direction, config: PathConfig) {
        self.tell(Command::SetPath(end, direction, config));
    }

    /// The network sees the namespace of this number under another address.
    pub(crate) fn readdress(&self, end: usize, address: Ipv4Addr) {
        self.tell(Command::Readdress(end, address));
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> anyhow::Result<Traffic> {
        let Some(thread) = self.end() else { anyhow::bail!("the router has ended before") };
        let traffic = thread.join().map_err(|_| anyhow::anyhow!("the router panicked"))?;
        Ok(traffic?)
    }

    fn tell(&self, command: Command) {
        // Fails only when the thread has ended, which `stop` reports.
        let _ = self.commands.send(command);
        self.wake();
    }

    fn wake(&self) {
        // Full only when it is awake anyway.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }

    fn end(&mut self) -> Option<JoinHandle<io::Result<Traffic>>> {
        let thread = self.thread.take()?;
        (self.commands, _) = channel(); // the old one is closed
        self.wake();
        Some(thread)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if let Some(thread) = self.end()
            && !matches!(thread.join(), Ok(Ok(_)))
        {
            tracing::error!("the router failed");
        }
    }
}

fn run(
    tuns: &[Tun],
    mut switch: Switch,
    inbox: &Receiver<Command>,
    wake: &OwnedFd,
) -> io::Result<Traffic> {
    if let Err(error) = kernel::go_first() {
        tracing::warn!(%error, "the router waits its turn: its delays may be longer");
    }
    let mut buffer = [0; MTU + 64]; // nothing longer comes
    loop {
        let mut now = Instant::now();
        loop {
            match inbox.try_recv() {
                Ok(Command::SetPath(end, direction, config)) => {
                    switch.set_path(now, end, direction, config);
                }
                Ok(Command::Readdress(end, address)) => switch.readdress(end, address),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    let cpu = clock_gettime(ClockId::ThreadCPUTime);
                    let cpu = Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32);
                    return Ok(switch.finish(now, cpu));
                }
            }
        }
        for (end, tun) in tuns.iter().enumerate() {
            for _ in 0..BATCH {
                let Some(length) = tun.read(&mut buffer)? else { break };
                switch.sent(now, end, &buffer[..length]);
            }
        }
        now = Instant::now();
        while let Some((end, packet)) = switch.poll(now) {
            if !tuns[end].write(&packet) {
                tracing::debug!(end, "a packet was not taken");
            }
        }
        sleep(tuns, wake, switch.poll_timeout())?;
    }
}

/// Until a packet or a command comes, or the moment does.
fn sleep(tuns: &[Tun], wake: &OwnedFd, until: Option<Instant>) -> io::Result<()> {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout = left.map(|left| Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    });
    let ends = tuns.iter().map(|tun| tun.as_fd());
    let mut watched: Vec<_> = ends
        .chain([wake.as_fd()])
        .map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN))
        .collect();
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    // Whatever was told is looked at next; nothing to read means that nothing was.
    let _ = rustix::io::read(wake, &mut [0_u8; 8]);
    Ok(())
}
