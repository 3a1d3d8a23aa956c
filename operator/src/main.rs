//! The operator. Its flags stand in `options.rs`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use futures::FutureExt;
use jiff::Timestamp;
use operator::context::Context;
use operator::metrics::Metrics;
use operator::options::Options;
use operator::server::{self, Health};
use operator::{controller, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    telemetry::start(options.log_format, &options.log);
    match operate(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "cannot go on");
            ExitCode::FAILURE
        }
    }
}

async fn operate(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        futures::future::select(Box::pin(terminate.recv()), Box::pin(interrupt.recv())).await;
        tracing::info!("stopping");
    }
    .boxed()
    .shared();

    let client = kube::Client::try_default().await?;
    let (metrics, health) = (Arc::new(Metrics::default()), Health::of(options.watch_namespaces.len().max(1)));
    let listener = TcpListener::bind(options.listen).await?;
    tokio::spawn(server::serve(listener, server::routes(health.clone(), metrics.clone()), stop.clone()));
    controller::check(&client, &options.watch_namespaces).await?;
    tracing::info!(namespaces = ?options.watch_namespaces, image = options.converter_image, "watching");
    controller::run(Context::new(client, options, metrics, Arc::new(Timestamp::now)), health, stop).await;
    Ok(())
}
