//! A Redis with TLS and a password.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    sync::atomic::{AtomicU8, Ordering},
};

use tempfile::TempDir;

use crate::redis::started;

static COUNT: AtomicU8 = AtomicU8::new(0);

pub(crate) const USER: &str = "quartet";
pub(crate) const PASSWORD: &str = "a-long-password";

/// A Redis that speaks TLS only, with one user, who may do no more than docs/several-servers.md says.
pub(crate) struct SecuredRedis {
    folder: TempDir,
    process: Child,
    address: SocketAddr,
}

impl SecuredRedis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // An address of its own, so that a port that is free stays so until Redis takes it.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 100 + number, high, low);
        let own = rcgen::generate_simple_self_signed([address.to_string()]).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let certificate = write("cert.pem", &own.cert.pem());
        let key = write("key.pem", &own.signing_key.serialize_pem());
        write("password", &format!("{PASSWORD}\n"));
        let free = TcpListener::bind((address, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let page = include_str!("../../../../docs/several-servers.md");
        let rule = page.lines().find(|line| line.starts_with("user quartet ")).unwrap();
        let config = format!(
            "port 0\nbind {}\ntls-port {}\ntls-cert-file {certificate}\n\
             tls-key-file {key}\ntls-ca-cert-file {certificate}\ntls-auth-clients no\nsave \"\"\n\
             dir {}\nuser default off\n{}\n",
            address.ip(),
            address.port(),
            folder.path().display(),
            rule.replace("PASSWORD", PASSWORD),
        );
        let config = write("redis.conf", &config);
        let process = started(Command::new("redis-server").arg(config), || {
            TcpStream::connect(address).is_ok()
        });
        Self { folder, process, address }
    }

    /// With a login, such as `user:password@`.
    pub(crate) fn url(&self, login: &str) -> String {
        format!("rediss://{login}{}", self.address)
    }

    /// `cert.pem` or `password`.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for SecuredRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
