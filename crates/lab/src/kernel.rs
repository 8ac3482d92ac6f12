//! What Linux does by calls that no library of ours wraps: interfaces whose packets come to this
//! process instead of a wire (tun(4)), and threads that go first. The one place with `unsafe`.

#![allow(unsafe_code)]

use std::{
    fs::OpenOptions,
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    io::Errno,
};

/// Where the kernel gives interfaces out.
pub const DEVICE: &str = "/dev/net/tun";

/// An open interface; gone when dropped.
#[derive(Debug)]
pub struct Tun(OwnedFd);

impl Tun {
    /// Makes an interface of this name in the network namespace of the calling thread: whole IPv4
    /// packets without any header before them.
    ///
    /// # Errors
    ///
    /// When the device is not there, or the caller is not root.
    pub fn make(name: &str) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
        // `struct ifreq` of netdevice(7): a name that ends with 0, then a union of which this
        // request reads a short.
        let mut request = [0_u8; size_of::<libc::ifreq>()];
        if name.len() >= libc::IFNAMSIZ {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a long interface name"));
        }
        request[..name.len()].copy_from_slice(name.as_bytes());
        let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
        request[libc::IFNAMSIZ..libc::IFNAMSIZ + 2].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: the descriptor is open, and the request is as large as the `ifreq` that the
        // kernel reads and writes; it keeps no pointer to it.
        let result =
            unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let device = OwnedFd::from(device);
        fcntl_setfl(&device, OFlags::NONBLOCK)?;
        Ok(Self(device))
    }

    /// The next packet that the namespace sends; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the interface is gone.
    pub fn read(&self, packet: &mut [u8]) -> io::Result<Option<usize>> {
        match rustix::io::read(&self.0, packet) {
            Ok(length) => Ok(Some(length)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the namespace a packet. What the kernel does not take (a packet that is none, an
    /// interface that is down) is lost, as on a wire; false then.
    pub fn write(&self, packet: &[u8]) -> bool {
        rustix::io::write(&self.0, packet).is_ok()
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Among those that go first; the least of them is enough (sched(7)).
const PRIORITY: i32 = 1;

/// Lets the calling thread run whenever it wants to, before every ordinary program.
///
/// # Errors
///
/// Without the right to; root has it, but some containers have not.
pub fn go_first() -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: 0 is the calling thread, and the kernel only reads the parameter during the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameter) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
