//! Names of keys, and the partition that a workflow ID lies in.
//!
//! Everything of a partition begins with `{<prefix>.<partition>}`, of a tenant then with `<length>/<namespace>/`. A run
//! is named by its ID in hex and its workflow ID. None of these can hold a control character.

use retell::backend::StoreError;
use retell::vocabulary::{Namespace, RunId, RunKey, WorkerId, WorkflowId};
use uuid::Uuid;

use crate::fault::unreadable;
use crate::reply::{text_id, uuid};

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// Where keys lie.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) prefix: String,
    pub(crate) partitions: u16,
}

impl Keys {
    /// What all keys of a partition begin with; its hash tag.
    pub(crate) fn tag(&self, partition: u16) -> String {
        format!("{{{}.{partition}}}", self.prefix)
    }

    /// The slot of a partition.
    pub(crate) fn slot(&self, partition: u16) -> u16 {
        crc16(format!("{}.{partition}", self.prefix).as_bytes()) % SLOTS
    }

    /// The partition of a workflow ID: part of the stored format.
    pub(crate) fn partition(&self, namespace: &Namespace, workflow_id: &WorkflowId) -> u16 {
        if self.partitions == 1 {
            return 0;
        }
        crc16(format!("{namespace}\0{workflow_id}").as_bytes()) % self.partitions
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = u16> + use<> {
        0..self.partitions
    }

    /// What the channels begin with on which the processes of workers show that they live.
    pub(crate) fn lives(&self) -> String {
        format!("{}.lives.", self.prefix)
    }

    /// The channel of one worker.
    pub(crate) fn life(&self, worker: WorkerId) -> String {
        self.lives() + &hex(worker.0)
    }

    /// Where changes are told to other processes.
    pub(crate) fn channel(&self) -> String {
        format!("{}.changes", self.prefix)
    }
}

/// What the keys of a tenant begin with, within a partition.
pub(crate) fn of_namespace(namespace: &Namespace) -> String {
    format!("{}/{namespace}/", namespace.as_str().len())
}

pub(crate) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// A run within its namespace.
pub(crate) fn tail(run: &RunKey) -> String {
    format!("{}{}", run.run_id.0.simple(), run.workflow_id)
}

/// Reads a run within a namespace.
pub(crate) fn read_tail(namespace: &Namespace, tail: &str, operation: &str) -> Result<RunKey, StoreError> {
    let (run, workflow_id) =
        tail.split_at_checked(32).ok_or_else(|| unreadable(operation, format!("{tail:?} names no run")))?;
    Ok(RunKey {
        namespace: namespace.clone(),
        workflow_id: text_id(WorkflowId::new(workflow_id), operation)?,
        run_id: RunId(uuid(run, operation)?),
    })
}

/// Reads a run in any namespace.
pub(crate) fn read_ref(run: &str, operation: &str) -> Result<RunKey, StoreError> {
    let parts = || {
        let (length, rest) = run.split_once('/')?;
        let (namespace, rest) = rest.split_at_checked(length.parse().ok()?)?;
        Some((namespace, rest.strip_prefix('/')?))
    };
    let (namespace, tail) = parts().ok_or_else(|| unreadable(operation, format!("{run:?} names no run")))?;
    read_tail(&text_id(Namespace::new(namespace), operation)?, tail, operation)
}

/// CRC-16/XMODEM, by which a cluster finds the slot of a key.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use retell::vocabulary::{Namespace, RunId, RunKey, WorkflowId};

    use super::{Keys, crc16, of_namespace, read_ref, tail};

    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let keys = Keys { prefix: "retell".to_owned(), partitions: 16 };
        assert_eq!(keys.tag(3), "{retell.3}");
        assert_eq!(keys.slot(3), crc16(b"retell.3") % 16_384);
    }

    #[test]
    fn references_are_read_back() {
        for (namespace, id) in [("default", "order-42"), ("7/a/", "{x}/y"), ("é", "订单")] {
            let run = RunKey {
                namespace: Namespace::new(namespace).unwrap(),
                workflow_id: WorkflowId::new(id).unwrap(),
                run_id: RunId::fresh(),
            };
            let written = of_namespace(&run.namespace) + &tail(&run);
            assert_eq!(read_ref(&written, "test").unwrap(), run);
        }
    }

    #[test]
    fn workflow_ids_spread_over_all_partitions() {
        let keys = Keys { prefix: "retell".to_owned(), partitions: 16 };
        let namespace = Namespace::default();
        let mut counts = [0; 16];
        for index in 0..1_600 {
            let id = WorkflowId::new(format!("order-{index}")).unwrap();
            counts[usize::from(keys.partition(&namespace, &id))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
