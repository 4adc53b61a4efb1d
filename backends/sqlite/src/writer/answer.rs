//! What a commit tells: answers to requests, and what its run shows of itself.

use retell::write::{Commit, IDENTITY_KEPT};
use rusqlite::{Result, params};

use super::transaction::Transaction;
use crate::column::{packed, packed_map};

/// How many old answers are forgotten for each new one, so that forgetting keeps up and never stalls.
const FORGOTTEN_FOR_EACH: usize = 2;

impl Transaction<'_> {
    /// Keeps what the commit of the run in this row tells. A commit that tells nothing costs nothing.
    pub(crate) fn tell(&mut self, commit: &Commit, row: i64) -> Result<()> {
        self.show_shown(row, commit)?;
        if commit.answers.is_empty() {
            return Ok(());
        }
        let namespace = self.namespace_or_new(&commit.run.namespace)?;
        for answer in &commit.answers {
            // The newest answers have the greatest IDs, those that take the place of another included.
            self.statement(
                "INSERT OR REPLACE INTO answers (namespace, request_id, at, run, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                namespace,
                answer.request_id.0.as_bytes(),
                self.age,
                row,
                &answer.body[..]
            ])?;
        }
        self.heard.answers = true;
        self.forget_old_answers(commit.answers.len())
    }

    fn show_shown(&mut self, row: i64, commit: &Commit) -> Result<()> {
        if let Some(published) = &commit.shown.published {
            self.statement("UPDATE runs SET published = ?2 WHERE id = ?1")?
                .execute(params![row, packed(published)?])?;
        }
        if let Some(memo) = &commit.shown.memo {
            self.statement("UPDATE runs SET memo = ?2 WHERE id = ?1")?
                .execute(params![row, packed_map(memo)?])?;
        }
        if let Some(attributes) = &commit.shown.attributes {
            let namespace = self.namespace_or_new(&commit.run.namespace)?;
            self.statement("UPDATE runs SET attributes = ?2 WHERE id = ?1")?
                .execute(params![row, packed_map(attributes)?])?;
            self.statement("DELETE FROM attributes WHERE run = ?1")?.execute([row])?;
            self.index_attributes(row, namespace, attributes)?;
        }
        Ok(())
    }

    fn forget_old_answers(&self, given: usize) -> Result<()> {
        let kept = i64::try_from(IDENTITY_KEPT.as_micros()).unwrap_or(i64::MAX);
        self.statement(
            "DELETE FROM answers WHERE id IN (SELECT id FROM answers ORDER BY id LIMIT ?1) AND at < ?2",
        )?
        .execute(params![given * FORGOTTEN_FOR_EACH, self.age.saturating_sub(kept)])?;
        Ok(())
    }
}
