//! Declares the page's commands, and stands in for the built UI where there is none.

use std::{fs, path::Path};

/// The page may call these, each allowed by name in `capabilities/main.json`.
const COMMANDS: &[&str] = &[
    "connect",
    "new_call",
    "open_link",
    "join",
    "set_policy",
    "answer_knock",
    "remove",
    "raise_hand",
    "react",
    "set_volume",
    "leave",
    "go_home",
    "set_muted",
    "set_camera_off",
    "hear_self",
    "list_screens",
    "screen_thumbnail",
    "share",
    "stop_sharing",
    "choose",
    "save_settings",
    "copy_link",
    "say",
    "open_url",
    "attach_tile",
    "detach_tile",
    "tile_shown",
    "refresh_tile",
    "view_tile",
    "confirm_code",
    "pick_files",
    "offer_dropped",
    "offer_pasted",
    "accept_file",
    "cancel_file",
    "pause_file",
    "withdraw_file",
    "hold_file",
    "show_file",
];

/// So that the Rust tests need no npm; `cargo xtask` always builds the real page first.
const STAND_IN: &str = include_str!("../ui/stand-in.html");

fn main() {
    println!("cargo::rerun-if-changed=ui/dist");
    let page = Path::new("ui/dist/index.html");
    if !page.exists() {
        fs::create_dir_all("ui/dist").expect("the folder of the built page can be made");
        fs::write(page, STAND_IN).expect("the stand-in page can be written");
    }
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        panic!("{error:#}");
    }
}
