//! `cargo xtask camera-check`: the camera code against a real camera driver, without a camera.
//!
//! Linux has a driver for a camera that does not exist, `vivid`, but the machines that run tests
//! seldom have their kernel's modules. So a Debian kernel with its modules is unpacked (not
//! installed) beside the build, and booted in QEMU, emulated, with nothing in it but those modules,
//! a shell and the example `camera_probe`, which lists cameras and takes pictures exactly as the
//! app does. Takes 17 s once everything is built and downloaded; kept out of `cargo xtask test`
//! for what it downloads.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    setup,
    shell::{cargo, command, output, run as run_command, step, target},
};

const PACKAGES: &[&str] = &["qemu-system-x86", "busybox-static", "dpkg"];

/// Debian's name for its newest kernel.
const KERNEL: &str = "linux-image-amd64";

/// How long each camera is looked at, in seconds.
const LOOK: u32 = 5;

/// 11 s to boot and 10 s of pictures, emulated on one core of a busy machine: ten times that.
const PATIENCE: Duration = Duration::from_secs(300);

/// Emulated, the machine is 10–20 times slower than this one; a camera that gives 30 pictures a
/// second must still give most of them.
const FPS_AT_LEAST: f32 = 20.0;

/// Boots the virtual machine, checks what it says, and repeats it.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "this check needs Linux on x86-64: it boots a Debian kernel"
    );
    println!(
        "Checks the camera code against the Linux driver of a virtual camera (vivid), in a small\n\
         virtual machine. Nothing outside {} is changed, but for missing packages.\n",
        folder().display()
    );
    setup::system_packages(PACKAGES)?;
    let kernel = kernel()?;
    step("Building the camera probe", || {
        run_command(&mut cargo(&["build", "-p", "quartet-devices", "--example", "camera_probe"]))
    })?;
    let image = step("Packing the virtual machine", || pack(&kernel))?;
    let lines = step("Looking at the camera in the virtual machine", || boot(&kernel, &image))?;
    judge(&lines)?;
    println!("The camera code works against a real driver.");
    Ok(())
}

/// What is kept from one run to the next.
fn folder() -> PathBuf {
    target().join("camera-check")
}

/// A kernel and its modules, unpacked.
struct Kernel {
    image: PathBuf,
    modules: PathBuf,
}

fn kernel() -> anyhow::Result<Kernel> {
    let depends = output(command("apt-cache", &["depends", KERNEL]).env("LC_ALL", "C"))
        .with_context(|| format!("no package {KERNEL}: this check needs Debian's archive"))?;
    let package = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .filter(|name| name.starts_with("linux-image-"))
        .with_context(|| format!("{KERNEL} names no kernel"))?;
    let version = package.trim_start_matches("linux-image-").trim_end_matches("-unsigned");
    let unpacked = folder().join(package);
    if !unpacked.exists() {
        step(&format!("Downloading and unpacking {package} (70 MB, the first time only)"), || {
            fetch(package, &unpacked)
        })?;
    }
    let kernel = Kernel {
        image: unpacked.join("boot").join(format!("vmlinuz-{version}")),
        modules: ["lib/modules", "usr/lib/modules"]
            .map(|place| unpacked.join(place).join(version))
            .into_iter()
            .find(|place| place.exists())
            .context("the package has no modules")?,
    };
    ensure!(kernel.image.exists(), "the package has no kernel: {}", kernel.image.display());
    Ok(kernel)
}

fn fetch(package: &str, unpacked: &Path) -> anyhow::Result<()> {
    let download = folder().join("download");
    // What an interrupted run left.
    if download.exists() {
        fs::remove_dir_all(&download)?;
    }
    fs::create_dir_all(&download)?;
    run_command(command("apt-get", &["download", "-qq", package]).current_dir(&download))?;
    let archive = fs::read_dir(&download)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "deb"))
        .context("apt-get downloaded nothing")?;
    let contents = download.join("contents");
    run_command(&mut command(
        "dpkg-deb",
        &["-x", &archive.to_string_lossy(), &contents.to_string_lossy()],
    ))?;
    // Under its name only when complete.
    fs::rename(contents, unpacked)?;
    fs::remove_dir_all(download)?;
    Ok(())
}

/// An initial file system: the modules, a shell, the probe and its libraries.
fn pack(kernel: &Kernel) -> anyhow::Result<PathBuf> {
    let root = folder().join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for place in ["bin", "dev", "proc", "sys", "tmp", "modules"] {
        fs::create_dir_all(root.join(place))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).context("no /bin/busybox")?;
    let modules = load_order(&kernel.modules, "vivid")?;
    let mut load = String::new();
    for module in &modules {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".xz").to_owned();
        let place = root.join("modules").join(&name);
        if module.extension().is_some_and(|ending| ending == "xz") {
            let unpacked = Command::new("xz").arg("-dc").arg(module).output()?;
            ensure!(unpacked.status.success(), "xz cannot unpack {}", module.display());
            fs::write(place, unpacked.stdout)?;
        } else {
            fs::copy(module, place)?;
        }
        // A camera (input type 0) at /dev/video0, and an output at /dev/video1, which is none.
        let options = if name == "vivid.ko" {
            " n_devs=1 node_types=0x101 num_inputs=1 input_types=0 no_error_inj=1"
        } else {
            ""
        };
        load += &format!("insmod /modules/{name}{options}\n");
    }
    let probe = target().join("debug/examples/camera_probe");
    fs::copy(&probe, root.join("bin/camera_probe")).context("the probe was not built")?;
    for library in libraries(&probe)? {
        let place = root.join(library.strip_prefix("/")?);
        fs::create_dir_all(place.parent().context("a library in no folder")?)?;
        fs::copy(&library, place)?;
    }
    let init = format!(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         export PATH=/bin HOME=/tmp\n\
         mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys\n\
         {load}\
         for node in /sys/class/video4linux/video*; do\n\
             echo \"@ node=${{node##*/}} name=$(cat $node/name)\"\n\
         done\n\
         camera_probe {LOOK} | while read -r line; do echo \"@ $line\"; done\n\
         echo '@ end'\n\
         poweroff -f\n"
    );
    let place = root.join("init");
    fs::write(&place, init)?;
    run_command(&mut command("chmod", &["0755", &place.to_string_lossy()]))?;
    let image = folder().join("initrd");
    let mut find =
        Command::new("find").arg(".").current_dir(&root).stdout(Stdio::piped()).spawn()?;
    let names = find.stdout.take().context("find has no output")?;
    let packed = Command::new("/bin/busybox")
        .args(["cpio", "-o", "-H", "newc"])
        .current_dir(&root)
        .stdin(names)
        .stdout(fs::File::create(&image)?)
        .stderr(Stdio::null())
        .status()?;
    ensure!(find.wait()?.success() && packed.success(), "cpio failed");
    Ok(image)
}

/// The module and those it needs, each after what it needs.
fn load_order(folder: &Path, module: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = HashMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Some((stem, ".ko" | ".ko.xz")) =
                name.find(".ko").map(|dot| name.split_at(dot))
            {
                // The kernel means the same by both.
                all.insert(stem.replace('-', "_"), entry.path());
            }
        }
    }
    let mut order = Vec::new();
    visit(module, &all, &mut order)?;
    Ok(order)
}

fn visit(
    module: &str,
    all: &HashMap<String, PathBuf>,
    order: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    // Not there: built into the kernel.
    let Some(path) = all.get(&module.replace('-', "_")) else {
        ensure!(module != "vivid", "this kernel has no vivid");
        return Ok(());
    };
    if order.contains(path) {
        return Ok(());
    }
    let bytes = if path.extension().is_some_and(|ending| ending == "xz") {
        Command::new("xz").arg("-dc").arg(path).output()?.stdout
    } else {
        fs::read(path)?
    };
    for needed in needs(&bytes) {
        visit(&needed, all, order)?;
    }
    order.push(path.clone());
    Ok(())
}

/// The names in a module's `depends=` entry.
fn needs(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = &module[at + KEY.len()..];
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end])
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The libraries that a program is linked with, the loader among them.
fn libraries(program: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed =
        output(&mut command("ldd", &[&program.to_string_lossy()])).context("ldd failed")?;
    Ok(listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

/// Boots; the lines that the inside says, which are shown as they come.
fn boot(kernel: &Kernel, image: &Path) -> anyhow::Result<Vec<String>> {
    let mut machine = Command::new("qemu-system-x86_64")
        // Emulated, though slower: hardware acceleration that is there may still hang, inside
        // another virtual machine for one.
        .args(["-accel", "tcg", "-cpu", "max"])
        .args(["-m", "768", "-smp", "2", "-no-reboot", "-nic", "none"])
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(image)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("qemu-system-x86_64 does not start")?;
    let console = BufReader::new(machine.stdout.take().context("no console")?);
    let complaints = BufReader::new(machine.stderr.take().context("no error output")?);
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in console.split(b'\n').map_while(Result::ok) {
            if tell.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    let listener = std::thread::spawn(move || {
        complaints.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
    });
    let begun = Instant::now();
    let (mut said, mut console) = (Vec::new(), String::new());
    let ended = loop {
        match told.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
            Ok(line) => {
                if let Some((_, words)) = line.split_once("@ ") {
                    println!("  {:5.1} s  {words}", begun.elapsed().as_secs_f32());
                    std::io::stdout().flush()?;
                    said.push(words.to_owned());
                }
                console += &line;
                console.push('\n');
            }
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break false,
        }
    };
    if !ended {
        machine.kill()?;
    }
    machine.wait()?;
    drop(told);
    let complaints = listener.join().unwrap_or_default();
    let _ = reader.join();
    ensure!(ended, "not done after {} s; the console said:\n{console}", PATIENCE.as_secs());
    ensure!(
        said.last().is_some_and(|line| line == "end"),
        "the virtual machine ended early; QEMU said:\n{complaints}\nthe console:\n{console}"
    );
    Ok(said)
}

/// Fails unless exactly the one camera was found and gave moving pictures at its pace.
fn judge(lines: &[String]) -> anyhow::Result<()> {
    let nodes = lines.iter().filter(|line| line.starts_with("node=")).count();
    ensure!(nodes == 2, "the driver should have made a camera and an output, not {nodes} devices");
    let cameras = lines.iter().filter(|line| line.starts_with("camera id=")).count();
    ensure!(cameras == 1, "{cameras} cameras were listed where there is one");
    if let Some(error) = lines.iter().find(|line| line.starts_with("error=")) {
        bail!("the camera failed: {error}");
    }
    let pictures =
        lines.iter().find(|line| line.starts_with("pictures=")).context("no pictures came")?;
    let figure = |name: &str| -> anyhow::Result<f32> {
        pictures
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .and_then(|value| value.parse().ok())
            .with_context(|| format!("no figure for {name} in: {pictures}"))
    };
    ensure!(figure("fps")? >= FPS_AT_LEAST, "too few pictures a second: {pictures}");
    ensure!(figure("different")? > 1.0, "the picture stands still: {pictures}");
    ensure!(figure("closed_in_ms")? < 2_000.0, "the camera closes too slowly: {pictures}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_needs_are_read_from_its_information() {
        let module = b"\x7fELF..license=GPL\0depends=videodev,v4l2-tpg,mc\0name=vivid\0";
        assert_eq!(needs(module), ["videodev", "v4l2-tpg", "mc"]);
        assert!(needs(b"license=GPL\0depends=\0name=mc\0").is_empty());
        assert!(needs(b"nothing").is_empty());
    }

    #[test]
    fn only_moving_pictures_at_the_right_pace_pass() {
        let said = |pictures: &str| {
            [
                "node=video0 name=vivid",
                "node=video1 name=vivid",
                "camera id=video0",
                pictures,
                "end",
            ]
            .map(str::to_owned)
        };
        let good = "pictures=150 different=149 fps=29.9 closed_in_ms=40";
        assert!(judge(&said(good)).is_ok());
        for bad in [
            "pictures=50 different=49 fps=9.9 closed_in_ms=40",
            "pictures=150 different=1 fps=29.9 closed_in_ms=40",
            "pictures=150 different=149 fps=29.9 closed_in_ms=4000",
            "error=busy",
            "",
        ] {
            assert!(judge(&said(bad)).is_err(), "{bad}");
        }
        assert!(judge(&said(good)[1..]).is_err());
    }
}
