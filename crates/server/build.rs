//! Gets the built page ready to be embedded: of what the page's build gave, what is served, as it
//! is and compressed; or a page that says what is missing, so that the Rust tests need no npm.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

/// What the page's build gives.
const BUILT: &str = "../../ui/dist";
const STAND_IN: &str = include_str!("../../ui/stand-in.html");

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={BUILT}");
    println!("cargo::rerun-if-changed=../../ui/stand-in.html");
    let out = env::var_os("OUT_DIR").map(PathBuf::from).expect("Cargo sets it");
    let page = out.join("page");
    // What an earlier build left has other hashes in its names.
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    let built = Path::new(BUILT);
    if !built.join("index.html").is_file() {
        return add(&page, "index.html", STAND_IN.as_bytes());
    }
    add(&page, "index.html", &fs::read(built.join("index.html"))?)?;
    if built.join("assets").is_dir() {
        for entry in fs::read_dir(built.join("assets"))? {
            let entry = entry?;
            let name = entry.file_name().into_string().expect("the bundler's names are plain");
            add(&page, &format!("assets/{name}"), &fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Puts a file into both folders, that of plain and that of compressed ones.
fn add(page: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (plain, gzip) = (page.join("plain").join(name), page.join("gzip").join(name));
    for file in [&plain, &gzip] {
        fs::create_dir_all(file.parent().expect("in a folder"))?;
    }
    fs::write(plain, bytes)?;
    let mut compressed = GzEncoder::new(fs::File::create(gzip)?, Compression::best());
    io::Write::write_all(&mut compressed, bytes)?;
    compressed.finish().map(drop)
}
