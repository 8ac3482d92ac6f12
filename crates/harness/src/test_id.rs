//! The page's `data-testid` hooks, as expressions in the page.

use serde_json::json;

pub(crate) fn selector(test_id: &str) -> String {
    format!("[data-testid=\"{test_id}\"]")
}

/// The element, or null.
pub(crate) fn query(test_id: &str) -> String {
    format!("document.querySelector({})", json!(selector(test_id)))
}

/// It is there and can be used.
pub(crate) fn present(test_id: &str) -> String {
    let element = query(test_id);
    format!("{element} && !{element}.disabled")
}

/// A function body that gives the text, or the value, of an element.
pub(crate) fn text(test_id: &str) -> String {
    format!("const e = {}; return (e.value || e.textContent).trim();", query(test_id))
}
