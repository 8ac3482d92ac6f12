//! A STUN server that answers nobody, and counts who asks.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How long its thread may go on after the end of its value.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// On 127.0.0.1; ends with its value.
#[derive(Debug)]
pub struct StunCounter {
    url: String,
    heard: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StunCounter {
    /// Starts one at a free port.
    ///
    /// # Errors
    ///
    /// When the system gives no socket or no thread.
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        let url = format!("stun:{}", socket.local_addr()?);
        let (heard, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, stopped) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("stun".to_owned()).spawn(move || {
            while !stopped.load(Relaxed) {
                if socket.recv(&mut [0; 2048]).is_ok() {
                    count.fetch_add(1, Relaxed);
                }
            }
        })?;
        Ok(Self { url, heard, stop, thread: Some(thread) })
    }

    /// `stun:ADDRESS:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Datagrams that have come so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.heard.load(Relaxed)
    }
}

impl Drop for StunCounter {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // It does nothing that could panic.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}
