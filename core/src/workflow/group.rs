//! Steps that share a commit.

use super::StepCall;

impl<T> StepCall<T> {
    /// Lets the outcome wait for the commit of what comes after it, if that is another such step: many short steps in a
    /// row then cost one commit and not one each.
    ///
    /// A group is what the code does in a row of steps that say so, one awaited right after the other or several at a time.
    /// It begins when all before it is stored, with its first step among that, and is stored together with whatever comes
    /// next: any other call or timer, a message that is taken in, the end of the run; and by itself before its code waits
    /// for something else, before a failed step waits for its next attempt, after 1,000 steps or 256 KiB of inputs and
    /// results, when somebody queries the run, and when the worker shuts down. Until then nobody sees anything of it.
    ///
    /// What may be repeated: if the process dies, loses the run, or fails the workflow task (a panic of the code) before
    /// that commit, **every step of the group runs again**, those that had ended too, from its first attempt. Nothing
    /// before the group is, and nothing after it has begun. A run whose task has failed shares no commits from then on:
    /// code that panics after its steps repeats them once. The
    /// [idempotency key](crate::activity::ActivityContext::idempotency_key) of a step that is repeated may be another one,
    /// except that of the group's first: it counts events, and others may come in between. So it is for steps that may be
    /// done twice: reading, computing, writing the same thing to the same place.
    ///
    /// # Determinism
    /// Kept in the call's event, never compared. History is the same flat list as without it, each event with its own
    /// time; replay knows no groups.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::workflow]
    /// async fn thumbnails(cx: WorkflowContext, images: Vec<String>) -> WorkflowResult<u64> {
    ///     let mut bytes = 0;
    ///     for image in images {
    ///         // Written again, a thumbnail is the same.
    ///         let step = cx.step("thumbnail", &image, |_cx, image| async move { Ok(image.len() as u64) });
    ///         bytes += step.commit_later().await?;
    ///     }
    ///     Ok(bytes)
    /// }
    /// ```
    pub fn commit_later(self) -> Self {
        self.with(|body| body.commit_later = true)
    }
}
