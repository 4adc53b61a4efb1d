//! Signals from HTTP: a handler of your own web server hands on what it is sent, once, however often it is sent.

use std::error::Error;

use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use retell::client::{Client, SendError};
use retell::prelude::*;
use retell::vocabulary::RequestId;
use retell_memory::Memory;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Paid {
    cents: u64,
}

/// Waits until all of it is paid.
#[retell::workflow]
async fn invoice(cx: WorkflowContext, cents: u64) -> WorkflowResult<u32> {
    let (mut left, mut payments) = (cents, 0);
    while left > 0 {
        left = left.saturating_sub(cx.signal::<Paid>("paid").await?.cents);
        payments += 1;
    }
    Ok(payments)
}

/// `POST /invoices/{id}/paid` with a JSON body. The sender's own key tells a repeated delivery.
async fn paid(
    State(client): State<Client>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(paid): Json<Paid>,
) -> StatusCode {
    let Ok(run) = client.handle(invoice, id.as_str()) else { return StatusCode::BAD_REQUEST };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let Some(key) = key else { return StatusCode::BAD_REQUEST };
    match run.signal_with("paid", &paid, RequestId::from_key(&format!("{id}/{key}"))).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(SendError::NotFound) => StatusCode::NOT_FOUND,
        Err(SendError::Closed(_)) => StatusCode::GONE,
        // Worth trying again, under the same key.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn router(client: Client) -> Router {
    Router::new().route("/invoices/{id}/paid", post(paid)).with_state(client)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(invoice).start().await?;
    engine.start(invoice, "invoice-7", 1_000).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("curl -H 'content-type: application/json' -H 'idempotency-key: 1' \\");
    println!("  -d '{{\"cents\":1000}}' http://{}/invoices/invoice-7/paid", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be heard") };
    axum::serve(listener, router(engine.client().clone())).with_graceful_shutdown(stop).await?;
    engine.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn post(client: &Client, id: &str, key: &str, body: &'static str) -> StatusCode {
        let request = Request::post(format!("/invoices/{id}/paid"))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body))
            .unwrap();
        router(client.clone()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_payment_counts_once_however_often_it_is_sent() {
        let engine = Orchestrator::new(Memory::new()).workflow(invoice).start().await.unwrap();
        let run = engine.start(invoice, "invoice-7", 1_000).await.unwrap();
        let client = engine.client();
        assert_eq!(post(client, "invoice-8", "1", r#"{"cents":500}"#).await, StatusCode::NOT_FOUND);
        assert_eq!(
            post(client, "invoice-7", "1", r#"{"cents":"all"}"#).await,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        for key in ["1", "1", "2"] {
            assert_eq!(post(client, "invoice-7", key, r#"{"cents":500}"#).await, StatusCode::ACCEPTED);
        }
        assert_eq!(run.result().await.unwrap(), 2);
        assert_eq!(post(client, "invoice-7", "3", r#"{"cents":500}"#).await, StatusCode::GONE);
        engine.shutdown().await;
    }
}
