//! Updates: their answers reach callers in any process.

use retell::Orchestrator;
use retell::client::UpdateError;
use retell::vocabulary::RequestId;
use retell::workflow::{UpdateType, WorkflowContext, WorkflowError, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history};

const ADD: UpdateType<u64, u64> = UpdateType::new("add");
const END: UpdateType<(), ()> = UpdateType::new("end");

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(adding).activity(hold).activity(effect)
}

#[retell::workflow]
async fn adding(cx: WorkflowContext) -> WorkflowResult<u64> {
    let sum = cx.share((0, false));
    sum.handle_valid_update(
        ADD,
        |_, more| if *more < 100 { Ok(()) } else { Err(WorkflowError::new("too much")) },
        async |cx, sum, more| {
            cx.activity(effect, &format!("add {more}")).await?;
            Ok(sum.with(|(sum, _)| {
                *sum += more;
                *sum
            }))
        },
    );
    sum.handle_update(END, async |cx, sum, ()| {
        cx.activity(hold, &"end".to_owned()).await?;
        sum.with(|(_, ended)| *ended = true);
        Ok(())
    });
    cx.wait_until(&sum, |(_, ended)| *ended).await?;
    Ok(sum.with(|(sum, _)| *sum))
}

/// Whoever asks gets the result, in the holder's process and in one that only has a client, once for each request.
pub async fn an_update_is_answered_in_any_process(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(adding, "sum", ()).await.unwrap();
    assert_eq!(run.update(ADD, &5).await.unwrap(), 5);
    let (orchestrator, _alive) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    let elsewhere = client.handle(adding, "sum").unwrap();
    assert_eq!(scene.as_time_passes(elsewhere.update(ADD, &7)).await.unwrap(), 12);
    let request_id = RequestId::fresh();
    for _ in 0..2 {
        let sent = elsewhere.send_update_with(ADD, &8, request_id).await.unwrap();
        scene.as_time_passes(sent.accepted()).await.unwrap();
        assert_eq!(scene.as_time_passes(sent.result()).await.unwrap(), 20);
    }
    let same = run.sent_update::<u64>(request_id);
    assert_eq!(same.result().await.unwrap(), 20);
    let error = scene.as_time_passes(elsewhere.update(ADD, &100)).await.unwrap_err();
    assert!(matches!(&error, UpdateError::Refused { failure, .. } if &*failure.message == "too much"), "{error}");
    assert_eq!(count(&history(&run).await, "UpdateCompleted"), 3);
}

/// A caller that waits for an update whose run ends first is told so, here and elsewhere.
pub async fn who_waits_for_an_update_hears_of_the_runs_end(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(adding, "sum", ()).await.unwrap();
    let sent = run.send_update(END, &()).await.unwrap();
    sent.accepted().await.unwrap();
    let (orchestrator, _alive) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    let elsewhere = client.handle(adding, "sum").unwrap().sent_update::<()>(sent.request_id());
    run.terminate("enough").await.unwrap();
    for handle in [&sent, &elsewhere] {
        let error = scene.as_time_passes(handle.result()).await.unwrap_err();
        assert!(matches!(error, UpdateError::RunEnded { .. }), "{error}");
    }
}
