//! Codecs in a chain, on the whole engine.

use retell::history::{CodecChain, PayloadCodec};
use retell::prelude::*;
use retell::vocabulary::Payload;
use retell_codecs::{Compression, Encryption, Key, KeyId};
use retell_tester::Tester;

fn chain() -> CodecChain {
    let encryption = Encryption::new(KeyId::new("key").unwrap(), Key::from([7; 32]));
    CodecChain::new().then(Compression::default()).then(encryption)
}

#[test]
fn a_chain_goes_back_the_way_it_came() {
    let payload = Payload::encode(&"again and again, ".repeat(100)).unwrap();
    let encoded = chain().encode(payload.clone()).unwrap();
    assert_eq!(encoded.encoding.as_str(), "retell-aes256gcm-1");
    assert!(encoded.data.len() < payload.data.len() / 4);
    assert_eq!(chain().decode(encoded).unwrap(), payload);
}

#[retell::activity]
async fn repeat(_cx: ActivityContext, text: String) -> Result<String, ActivityError> {
    Ok(text.repeat(100))
}

#[retell::workflow]
async fn echo(cx: WorkflowContext, text: String) -> WorkflowResult<String> {
    let suffix: String = cx.signal("suffix").await?;
    Ok(cx.activity(repeat, &text).await? + &suffix)
}

#[test]
fn a_run_lives_on_what_has_passed_the_chain() {
    let tester = Tester::new().codec(chain()).workflow(echo).activity(repeat);
    tester.crash_after_commit(2);
    let run = tester.start(echo, "echo", "a secret, ".to_owned());
    run.signal("suffix", "and an end").unwrap();
    assert_eq!(run.result().unwrap(), "a secret, ".repeat(100) + "and an end");
}
