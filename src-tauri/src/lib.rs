//! The desktop shell: wiring between the page, the system and the engine.

mod app;
mod browser;
mod commands;
mod devices;
mod host;
mod model;
mod platform;
mod settings;
mod tiles;
mod transfers;
pub mod view;

use std::sync::Arc;

use app::App;
use settings::SettingsFile;
use tauri::{AppHandle, DragDropEvent, Manager as _, RunEvent, WindowEvent};
use tauri_plugin_deep_link::DeepLinkExt as _;
use tracing_subscriber::EnvFilter;
use transfers::Transfers;

/// What is logged unless `RUST_LOG` says otherwise: the libraries' own lines can name addresses.
const LOG: &str = "off,quartet=warn";
/// Set in tests, where several apps of one person run at once.
const MANY_INSTANCES_VARIABLE: &str = "QUARTET_MANY_INSTANCES";

/// Why the app does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Neither X11 nor Wayland.
    #[error("there is no display here to open a window on")]
    NoDisplay,
    /// The system gives no window.
    #[error("the window does not open: {0}")]
    Window(#[from] tauri::Error),
}

/// Runs the app until its window is closed. Call it first in `main`, before any thread.
///
/// # Errors
/// When the system gives no window.
pub fn run() -> Result<(), StartError> {
    if !platform::has_display() {
        return Err(StartError::NoDisplay);
    }
    platform::prepare();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let mut builder = tauri::Builder::default();
    if std::env::var_os(MANY_INSTANCES_VARIABLE).is_none_or(|value| value.is_empty()) {
        // First, so that a second start ends before it opens anything.
        builder = builder
            .plugin(
                // A plug-in, as it must come after GTK's start and before the next one's.
                tauri::plugin::Builder::<_, ()>::new("second-start")
                    .setup(|_, _| {
                        platform::may_be_second_start();
                        Ok(())
                    })
                    .build(),
            )
            .plugin(tauri_plugin_single_instance::init(|handle, arguments, _| {
                open_first_link(handle, arguments.into_iter().skip(1));
            }));
    }
    let context = tauri::generate_context!();
    let app = builder
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_clipboard_manager::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .invoke_handler(tauri::generate_handler![
            commands::connect,
            commands::new_call,
            commands::open_link,
            commands::join,
            commands::set_policy,
            commands::answer_knock,
            commands::remove,
            commands::raise_hand,
            commands::react,
            commands::set_volume,
            commands::leave,
            commands::go_home,
            commands::set_muted,
            commands::set_camera_off,
            commands::hear_self,
            commands::list_screens,
            commands::screen_thumbnail,
            commands::share,
            commands::stop_sharing,
            commands::choose,
            commands::save_settings,
            commands::copy_link,
            commands::say,
            commands::open_url,
            commands::attach_tile,
            commands::detach_tile,
            commands::tile_shown,
            commands::refresh_tile,
            commands::view_tile,
            commands::confirm_code,
            commands::pick_files,
            commands::offer_dropped,
            commands::offer_pasted,
            commands::accept_file,
            commands::cancel_file,
            commands::pause_file,
            commands::withdraw_file,
            commands::hold_file,
            commands::show_file,
        ])
        .on_window_event(|window, event| {
            if let WindowEvent::DragDrop(DragDropEvent::Drop { paths, .. }) = event {
                window.state::<Arc<App>>().files_dropped(paths.clone());
            }
        })
        .setup(|tauri_app| {
            platform::is_first_start();
            let folder = tauri_app.path().app_config_dir()?;
            let transfers = Transfers::load(&folder);
            // Of this run of the app alone: several may run.
            let pasted = tauri_app.path().app_cache_dir()?.join("pasted");
            let pasted = pasted.join(std::process::id().to_string());
            let file = SettingsFile::new(folder);
            let (app, events) =
                tauri::async_runtime::block_on(async { App::start(file, transfers, pasted) });
            // Ends with the engine, which ends in `stop`.
            tauri::async_runtime::spawn(Arc::clone(&app).run(events));
            tauri_app.manage(app);
            take_links(tauri_app.handle());
            end_when_asked(tauri_app.handle());
            Ok(())
        })
        .build(context)?;
    app.run(|handle, event| {
        if let RunEvent::Exit = event {
            let app = Arc::clone(&handle.state::<Arc<App>>());
            tauri::async_runtime::block_on(async move { app.stop().await });
        }
    });
    Ok(())
}

/// Links from outside: this start's argument, a second start's, and, on macOS, the system's event.
fn take_links(handle: &AppHandle) {
    platform::register_scheme(handle);
    open_first_link(handle, std::env::args().skip(1));
    let receiver = handle.clone();
    handle.deep_link().on_open_url(move |event| {
        open_first_link(&receiver, event.urls().into_iter().map(String::from));
    });
}

/// One link is one wish; whoever sends more sends nonsense.
fn open_first_link(handle: &AppHandle, mut arguments: impl Iterator<Item = String>) {
    show(handle);
    // A second start may come before this one is ready: its link is lost, the window is not.
    let Some(app) = handle.try_state::<Arc<App>>() else { return };
    if let Some(link) = arguments.find(|argument| !argument.starts_with('-')) {
        let app = Arc::clone(&app);
        tauri::async_runtime::spawn(async move { app.open_outside_link(&link).await });
    }
}

/// Ctrl-C in a terminal and the end of the session are as good as closing the window: the others
/// see at once that this one has left.
fn end_when_asked(handle: &AppHandle) {
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        match platform::asked_to_end().await {
            Ok(()) => handle.exit(0),
            Err(error) => tracing::warn!(%error, "signals of the system are not heard"),
        }
    });
}

/// Brings the window to the front.
fn show(handle: &AppHandle) {
    if let Some(window) = handle.get_webview_window("main") {
        let shown =
            window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus());
        if let Err(error) = shown {
            tracing::debug!(%error, "the window could not be brought to the front");
        }
    }
}
