//! A sound server of our own, without hardware: a real PulseAudio daemon with a speaker that can be
//! listened to and a microphone that can be spoken into.
//!
//! It runs in a folder of its own, needs no session bus and no rights, and ends when dropped. Needs
//! `pulseaudio` and its tools (`pactl`, `parec`, `pacat`).

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long the daemon may take to answer: 0.2 s when nothing else runs.
const START: Duration = Duration::from_secs(30);

/// Samples a second of everything that is played and recorded here.
pub const RATE: u32 = 48_000;

/// A running sound server. What is played into it is heard by `mic`; `spk` is the speaker.
#[derive(Debug)]
pub struct SoundServer {
    daemon: Child,
    folder: TempDir,
}

impl SoundServer {
    /// Starts one, with the microphone `mic` and the speaker `spk` as default devices.
    ///
    /// # Errors
    /// PulseAudio is not installed, or does not start.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("quartet-sound").tempdir()?;
        let path = folder.path();
        // Without rewinds, as a sink without a clock otherwise keeps 2 s of silence ahead.
        let (script, log) = (path.join("script.pa"), path.join("log"));
        fs::create_dir(path.join("home"))?;
        fs::write(
            &script,
            format!(
                "load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n\
                 load-module module-null-sink sink_name=spk rate=48000 channels=2 norewinds=1\n\
                 load-module module-null-sink sink_name=mic_in rate=48000 channels=1 norewinds=1\n\
                 load-module module-remap-source source_name=mic master=mic_in.monitor channels=1\n\
                 set-default-sink spk\n\
                 set-default-source mic\n",
                socket = Self::socket(path).display()
            ),
        )?;
        let daemon = Self::tool("pulseaudio", path)
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"])
            .args(["--disallow-exit", "--high-priority=no", "-F"])
            .arg(&script)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let mut server = Self { daemon, folder };
        let begun = Instant::now();
        loop {
            // The modules are loaded in order: with the default source set, all is there.
            if let Ok(answer) = server.pactl(&["get-default-source"])
                && answer.trim() == "mic"
            {
                return Ok(server);
            }
            let gone = server.daemon.try_wait()?;
            if gone.is_some() || begun.elapsed() > START {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(io::Error::other(format!("PulseAudio did not start: {log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a program needs in its environment to use this server and no other.
    #[must_use]
    pub fn env(&self) -> [(&'static str, String); 2] {
        let cookie = self.folder.path().join("home/.config/pulse/cookie");
        [
            ("PULSE_SERVER", format!("unix:{}", Self::socket(self.folder.path()).display())),
            // Anybody may connect, but cpal's client has to show one of the right length, and
            // does not make one as other clients do.
            ("PULSE_COOKIE", cookie.display().to_string()),
        ]
    }

    /// Plays a file into the microphone, once, and returns at its end.
    ///
    /// # Errors
    /// The file is no sound, or the server is gone.
    pub fn play_into_mic(&self, wav: &Path) -> io::Result<()> {
        let output = self.player("mic_in", wav).output()?;
        success("paplay", output).map(drop)
    }

    /// Plays a file into the microphone, in the background until the guard is dropped or the file
    /// ends.
    ///
    /// # Errors
    /// The player does not start.
    pub fn playing_into_mic(&self, wav: &Path) -> io::Result<Playing> {
        self.playing_into("mic_in", wav)
    }

    /// The same into any sink.
    ///
    /// # Errors
    /// The player does not start.
    pub fn playing_into(&self, sink: &str, wav: &Path) -> io::Result<Playing> {
        let child = self.player(sink, wav).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Playing(child))
    }

    /// What the speaker plays in the next `time`, as one channel at [`RATE`], in −1..=1.
    ///
    /// # Errors
    /// The server is gone.
    pub fn record_speaker(&self, time: Duration) -> io::Result<Vec<f32>> {
        let mut samples = self.record("spk.monitor", time)?;
        samples.truncate((time.as_secs_f64() * f64::from(RATE)) as usize);
        Ok(samples)
    }

    /// Runs `pactl` with these arguments; what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn pactl(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.command("pactl").args(arguments).output()?;
        success("pactl", output).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Takes a device away, as if it was unplugged: `mic`, `spk` or `mic_in`.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn unplug(&self, name: &str) -> io::Result<()> {
        let modules = self.pactl(&["list", "short", "modules"])?;
        let names = [format!("sink_name={name}"), format!("source_name={name}")];
        let module = modules
            .lines()
            .find(|line| line.split_whitespace().any(|word| names.iter().any(|n| n == word)))
            .and_then(|line| line.split_whitespace().next())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))?;
        self.pactl(&["unload-module", module]).map(drop)
    }

    fn record(&self, source: &str, time: Duration) -> io::Result<Vec<f32>> {
        let file = tempfile::NamedTempFile::new_in(self.folder.path())?;
        let mut recorder = self
            .command("parec")
            .args(["--raw", "--format=float32le", "--channels=1", "--latency-msec=20"])
            .args([format!("--rate={RATE}"), format!("--device={source}")])
            .stdout(file.reopen()?)
            .stderr(Stdio::null())
            .spawn()?;
        let wanted = (time.as_secs_f64() * f64::from(RATE)) as u64 * 4;
        // By what was recorded, not by the clock: a busy machine starts recorders late.
        let deadline = Instant::now() + time * 4 + START;
        while file.as_file().metadata()?.len() < wanted && Instant::now() < deadline {
            if let Some(status) = recorder.try_wait()? {
                return Err(io::Error::other(format!("parec ended: {status}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        recorder.kill()?;
        recorder.wait()?;
        let bytes = fs::read(file.path())?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// Stops the server in its tracks until the guard is dropped: it accepts and never answers.
    ///
    /// # Errors
    /// It is gone.
    pub fn freeze(&self) -> io::Result<Frozen> {
        let frozen = Frozen(self.daemon.id());
        frozen.signal("-STOP").map(|()| frozen)
    }

    fn player(&self, sink: &str, wav: &Path) -> Command {
        let mut command = self.command("paplay");
        command.arg(format!("--device={sink}")).arg("--latency-msec=20").arg(wav);
        command
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Self::tool(name, self.folder.path());
        command.envs(self.env()).stdin(Stdio::null());
        command
    }

    /// A program that knows no sound server and no settings but those of this folder.
    fn tool(name: &str, folder: &Path) -> Command {
        let mut command = Command::new(name);
        command
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY")
            .env_remove("PULSE_SERVER")
            .env_remove("PULSE_COOKIE")
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", folder.join("home"))
            .env("XDG_RUNTIME_DIR", folder)
            .env("PULSE_RUNTIME_PATH", folder);
        command
    }

    fn socket(folder: &Path) -> PathBuf {
        folder.join("native")
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        // Already gone: nothing to do.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Ends the sound when dropped.
#[derive(Debug)]
pub struct Playing(Child);

impl Drop for Playing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets the server go on when dropped.
#[derive(Debug)]
pub struct Frozen(u32);

impl Frozen {
    fn signal(&self, name: &str) -> io::Result<()> {
        let output = Command::new("kill").args([name, &self.0.to_string()]).output()?;
        success("kill", output).map(drop)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Killed meanwhile: nothing to wake.
        let _ = self.signal("-CONT");
    }
}

fn success(name: &str, output: Output) -> io::Result<Vec<u8>> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let signal = output.status.signal();
    Err(io::Error::other(format!("{name} failed (signal {signal:?}): {words}")))
}
