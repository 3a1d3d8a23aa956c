//! /livez, /readyz and /metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// Whether the operator is up to its work, as the probes ask.
#[derive(Clone)]
pub struct Health {
    /// Watches whose first listing is not in yet.
    missing: Arc<AtomicUsize>,
    /// A watch ended for good.
    dead: Arc<AtomicBool>,
}

impl Health {
    /// Of an operator with so many watches.
    #[must_use]
    pub fn of(watches: usize) -> Self {
        Self { missing: Arc::new(AtomicUsize::new(watches)), dead: Arc::default() }
    }

    /// The first listing of one watch is in.
    pub fn listed(&self) {
        if self.missing.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!("ready: all datasets are listed");
        }
    }

    pub fn set_dead(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }
}

/// The routes.
pub fn routes(health: Health, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(expose)).with_state(metrics))
}

/// Serves until `stop` resolves.
pub async fn serve(listener: TcpListener, routes: Router, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn livez(State(health): State<Health>) -> Response {
    answer(!health.dead.load(Ordering::Relaxed), "the watch has ended")
}

async fn readyz(State(health): State<Health>) -> Response {
    answer(health.missing.load(Ordering::Relaxed) == 0, "the first listing is not in yet")
}

fn answer(well: bool, otherwise: &'static str) -> Response {
    if well { (StatusCode::OK, "ok\n").into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, otherwise).into_response() }
}

async fn expose(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
