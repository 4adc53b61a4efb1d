//! Codecs: what users' values pass on their way to the store. Here they are compressed, then encrypted under a key that
//! rotates; the store never sees them plain.

use std::error::Error;

use retell::history::CodecChain;
use retell::prelude::*;
use retell_codecs::{Compression, Encryption, Key, KeyId};
use retell_memory::Memory;

/// Keys come from where the secrets of your company are kept. New values get the current one; those of the former are
/// still read.
fn codec() -> Result<CodecChain, Box<dyn Error>> {
    let (current, former) = (Key::from([2; 32]), Key::from([1; 32]));
    let encryption =
        Encryption::new(KeyId::new("2026-11")?, current).with_former(KeyId::new("2026-10")?, former);
    Ok(CodecChain::new().then(Compression::default()).then(encryption))
}

#[retell::activity]
async fn diagnose(_cx: ActivityContext, symptoms: String) -> Result<String, ActivityError> {
    Ok(format!("{symptoms}: nothing serious"))
}

#[retell::workflow]
async fn examine(cx: WorkflowContext, symptoms: String) -> WorkflowResult<String> {
    Ok(cx.activity(diagnose, &symptoms).await?)
}

async fn run() -> Result<String, Box<dyn Error>> {
    let engine =
        Orchestrator::new(Memory::new()).codec(codec()?).workflow(examine).activity(diagnose).start().await?;
    let diagnosis = engine.start(examine, "patient-7", "a cough".to_owned()).await?.result().await?;
    engine.shutdown().await;
    Ok(diagnosis)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    /// The tester takes the codec as the engine does, and shows histories as their owner reads them.
    #[test]
    fn whoever_has_the_key_reads_the_history() {
        let tester = Tester::new().codec(codec().unwrap()).workflow(examine).activity(diagnose);
        let run = tester.start(examine, "patient-7", "a cough".to_owned());
        assert_eq!(run.result().unwrap(), "a cough: nothing serious");
        assert!(run.recorded().to_string().contains("a cough"));
        // The message of the run's closing event, as the store has it.
        let stored = run.describe().unwrap().outcome.unwrap();
        assert!(!stored.windows(5).any(|window| window == b"cough"));
    }
}
