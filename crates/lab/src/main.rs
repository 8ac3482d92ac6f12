//! `quartet-lab`: see `cargo xtask lab`.

fn main() -> anyhow::Result<()> {
    Ok(())
}
