//! Blocking activities: a plain `fn` runs on a thread that it may block.

use std::error::Error;
use std::path::Path;

use retell::prelude::*;
use retell_memory::Memory;

/// Files, synchronous clients, long computation: no `async`, so it does not hold up the others.
#[retell::activity]
fn count_words(_cx: ActivityContext, path: String) -> Result<usize, ActivityError> {
    Ok(std::fs::read_to_string(path)?.split_whitespace().count())
}

#[retell::workflow]
async fn measure(cx: WorkflowContext, path: String) -> WorkflowResult<usize> {
    Ok(cx.activity(count_words, &path).await?)
}

async fn run(path: &Path) -> Result<usize, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(measure).activity(count_words).start().await?;
    let words = engine.start(measure, "measure-1", path.display().to_string()).await?.result().await?;
    engine.shutdown().await;
    Ok(words)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "README.md".to_owned());
    println!("{} words in {path}", run(Path::new(&path)).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use retell_tester::Tester;

    use super::*;

    /// The tester runs real code where no fake takes the call: time stands still until it ends.
    #[test]
    fn a_file_is_read_on_a_blocking_thread() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one two three").unwrap();
        let tester = Tester::new().workflow(measure).activity(count_words);
        let began = tester.now();
        assert_eq!(
            tester.start(measure, "measure-1", file.path().display().to_string()).result().unwrap(),
            3
        );
        assert_eq!(tester.now(), began);
    }

    #[test]
    fn a_file_that_comes_later_is_found_by_a_later_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("late.txt");
        let tester = Tester::new().workflow(measure).activity(count_words);
        let run = tester.start(measure, "measure-1", path.display().to_string());
        tester.after(Duration::from_secs(3_600), move |_| std::fs::write(&path, "better late").unwrap());
        assert_eq!(run.result().unwrap(), 2);
        assert!(tester.calls().count("count_words") > 1);
    }
}
