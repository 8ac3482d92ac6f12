//! Network namespaces: a participant's machine, as far as the network is concerned.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    net::Ipv4Addr,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context as _, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    kernel::{DEVICE, Tun},
    process_tree,
};

/// Where iproute2 keeps them.
const FOLDER: &str = "/run/netns";
/// Ours begin so, then comes the process that made them.
const PREFIX: &str = "quartet-lab-";
/// Chromium takes an interface called `tun` for a VPN.
const INTERFACE: &str = "eth0";
/// Ethernet's.
pub const MTU: usize = 1500;

/// A namespace with one interface and one address; gone when dropped, with whatever runs in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// A place to run programs in.
#[derive(Debug, Clone)]
pub struct Host {
    /// Who is there.
    pub name: String,
    /// As `ip netns` knows it.
    pub namespace: String,
    /// Its own, at the beginning.
    pub address: Ipv4Addr,
}

impl Namespace {
    /// Makes one with this address, and the interface whose packets come here.
    pub(crate) fn make(label: &str, address: Ipv4Addr) -> anyhow::Result<(Self, Tun)> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        // Several labs may run at once, also in one process.
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{serial}-{label}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        let tun = within(&namespace.name, || {
            // Nothing here speaks IPv6; where the kernel has none, there is nothing to switch off.
            let _ = fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
            Tun::make(INTERFACE)
        })?
        .context("an interface in a namespace")?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        let mtu = MTU.to_string();
        namespace.ip(&["link", "set", INTERFACE, "mtu", &mtu, "up"])?;
        namespace.give(address)?;
        Ok((namespace, tun))
    }

    /// Another address instead of the one it has.
    pub(crate) fn readdress(&self, before: Ipv4Addr, after: Ipv4Addr) -> anyhow::Result<()> {
        self.ip(&["address", "del", &format!("{before}/32"), "dev", INTERFACE])?;
        self.give(after)
    }

    pub(crate) fn host(&self, name: &str, address: Ipv4Addr) -> Host {
        Host { name: name.to_owned(), namespace: self.name.clone(), address }
    }

    fn give(&self, address: Ipv4Addr) -> anyhow::Result<()> {
        self.ip(&["address", "add", &format!("{address}/32"), "dev", INTERFACE])?;
        self.ip(&["route", "replace", "default", "dev", INTERFACE])
    }

    fn ip(&self, arguments: &[&str]) -> anyhow::Result<()> {
        ip(&[&["-n", &self.name], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

impl Host {
    /// A program in there; the process is the program's own.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    /// Runs something on a thread in there. A socket that it makes stays there, whoever uses it.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had, or the namespace is gone.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        within(&self.namespace, work)
    }
}

/// What this machine lacks for a network of namespaces, in words; `None` when it lacks nothing.
#[must_use]
pub fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root: run it with sudo".to_owned());
    }
    if !Path::new(DEVICE).exists() {
        return Some(format!(
            "{DEVICE} is missing: no TUN devices in this kernel, or not for this container"
        ));
    }
    match Command::new("ip").arg("-V").output() {
        Ok(_) => None,
        Err(_) => Some("ip is missing: install the package iproute2".to_owned()),
    }
}

/// Removes what labs left behind that were killed before they could.
pub fn remove_leftovers() {
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let id = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if id.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove(name);
        }
    }
}

fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let file = File::open(PathBuf::from(FOLDER).join(namespace))?;
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Kills what runs in there, and removes it; nothing is left to be done when that fails.
fn remove(name: &str) {
    let pids = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = pids.map(|output| output.stdout).unwrap_or_default();
    for id in String::from_utf8_lossy(&pids).split_whitespace().filter_map(|id| id.parse().ok()) {
        process_tree::kill(id);
    }
    if let Err(error) = ip(&["netns", "del", name]) {
        tracing::warn!(%error, name, "a network namespace is left over");
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments).output().context("ip (of iproute2)")?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", arguments.join(" "), reason.trim());
    }
    Ok(())
}
