//! A dossier that a reader and the view share.

use super::dossier::Dossier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::{Arc, RwLock};

/// Shows the dossier as it is at each reading. Cheap to clone; outlives the view's own interest in it.
///
/// Reading inside a reading, or asking the view from inside one, can wait for ever: the view's writer
/// may stand between the two. Copy the rows out and let go.
#[derive(Clone, Debug)]
pub struct DossierHandle(Arc<RwLock<Dossier>>);

impl DossierHandle {
    pub fn read<R>(&self, look: impl FnOnce(&Dossier) -> R) -> R {
        look(&self.0.read().expect("no fold panics"))
    }
    pub(super) fn write<R>(&self, change: impl FnOnce(&mut Dossier) -> R) -> R {
        change(&mut self.0.write().expect("no fold panics"))
    }
}

/// For a dossier folded from the log.
impl From<Dossier> for DossierHandle {
    fn from(dossier: Dossier) -> DossierHandle {
        DossierHandle(Arc::new(RwLock::new(dossier)))
    }
}

/// Into a snapshot.
impl Serialize for DossierHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.read(|dossier| dossier.serialize(serializer))
    }
}
impl<'de> Deserialize<'de> for DossierHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DossierHandle, D::Error> {
        Dossier::deserialize(deserializer).map(DossierHandle::from)
    }
}

/// Equal dossiers, not the same one. For tests of the fold.
impl PartialEq for DossierHandle {
    fn eq(&self, other: &DossierHandle) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.read(Dossier::clone) == other.read(Dossier::clone)
    }
}
