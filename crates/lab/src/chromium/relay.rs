//! Introduces the pages to each other and writes down what they say.
//!
//! It runs on a runtime of its own, beside whatever else the lab does, and trusts the pages: they
//! are the lab's own. Messages that it does not know are failures of that page.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use quartet_harness::wait_until;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    runtime::{self, Runtime},
    sync::mpsc,
};
use tokio_tungstenite::tungstenite::Message;

use super::log::{CallLog, PageLog, Said};

/// Messages that may wait for a page: some hundred candidates. A page that takes none loses them.
const QUEUE: usize = 1024;

/// A running relay, ended when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    room: Arc<Mutex<Room>>,
    _runtime: Runtime,
}

#[derive(Debug, Default)]
struct Room {
    pages: HashMap<String, mpsc::Sender<Message>>,
    /// Who is in, in the order of joining.
    inside: Vec<String>,
    log: CallLog,
}

impl Relay {
    /// Serves whoever connects to `listener`.
    pub fn start(listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("relay")
            .enable_all()
            .build()?;
        let room = Arc::<Mutex<Room>>::default();
        let shared = Arc::clone(&room);
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let room = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &room).await {
                        tracing::warn!(%error, "a page is gone");
                    }
                });
            }
        });
        Ok(Self { address, room, _runtime: runtime })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until this page can join.
    pub fn wait_ready(&self, name: &str, deadline: Duration) -> anyhow::Result<()> {
        let look = || Ok(self.page(name).ready.then_some(()));
        wait_until(&format!("the page of {name}"), deadline, look)
            .with_context(|| format!("it said: {:?}", self.page(name).failures))
    }

    /// Lets a page join: it offers to everybody who is in already.
    pub fn admit(&self, name: &str) -> anyhow::Result<()> {
        let mut room = self.room.lock();
        let peers = room.inside.clone();
        room.inside.push(name.to_owned());
        room.send(name, &json!({ "type": "welcome", "peers": peers }))
    }

    /// Says something to a page.
    pub fn send(&self, name: &str, message: &Value) -> anyhow::Result<()> {
        self.room.lock().send(name, message)
    }

    /// What a page reported so far.
    #[must_use]
    pub fn page(&self, name: &str) -> PageLog {
        self.room.lock().log.get(name).cloned().unwrap_or_default()
    }

    /// What all pages reported so far.
    #[must_use]
    pub fn log(&self) -> CallLog {
        self.room.lock().log.clone()
    }
}

async fn serve(stream: TcpStream, room: &Mutex<Room>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (mut sink, mut stream) = tokio_tungstenite::accept_async(stream).await?.split();
    let (sender, mut waiting) = mpsc::channel(QUEUE);
    let writer = async move {
        while let Some(message) = waiting.recv().await {
            sink.send(message).await?;
        }
        anyhow::Ok(())
    };
    let reader = async move {
        let mut name = String::new();
        while let Some(message) = stream.next().await {
            let Message::Text(text) = message? else { continue };
            let said = serde_json::from_str(&text)
                .unwrap_or_else(|error| Said::Failed { reason: error.to_string() });
            let mut room = room.lock();
            if let Said::Ready { name: own } = &said {
                name.clone_from(own);
                room.pages.insert(own.clone(), sender.clone());
            }
            room.take(&name, said);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = writer => done,
        done = reader => done,
    }
}

impl Room {
    fn take(&mut self, name: &str, said: Said) {
        let (to, message) = match said {
            Said::Description { to, body } => {
                (to, json!({ "type": "description", "from": name, "body": body }))
            }
            Said::Candidate { to, body } => {
                (to, json!({ "type": "candidate", "from": name, "body": body }))
            }
            said => return self.log.entry(name.to_owned()).or_default().take(said),
        };
        if let Err(error) = self.send(&to, &message) {
            tracing::warn!(from = name, %error, "a message is lost");
        }
    }

    fn send(&self, name: &str, message: &Value) -> anyhow::Result<()> {
        let page = self.pages.get(name).with_context(|| format!("{name} is not there"))?;
        let sent = page.try_send(Message::text(message.to_string()));
        sent.with_context(|| format!("{name} does not listen"))
    }
}
