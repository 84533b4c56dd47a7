//! The live page: three files inside the binary, and what a browser may do with them.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page needs no key: it holds no data, and asks for the key itself.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../../../dashboards/live/index.html")))
        .route(
            "/page.js",
            file("text/javascript; charset=utf-8", include_str!("../../../dashboards/live/page.js")),
        )
        .route(
            "/page.css",
            file("text/css; charset=utf-8", include_str!("../../../dashboards/live/page.css")),
        )
}

fn file<S: Clone + Send + Sync + 'static>(kind: &'static str, text: &'static str) -> MethodRouter<S> {
    let head: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A new binary is a new page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    get(move || async move { (head, text).into_response() })
}
