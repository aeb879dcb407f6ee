//! What an update says about a value that may be absent: stay, go, or become another. Only for those: a
//! value that is always there needs no more than an `Option`.

/// One member of an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Not named: it stays as it is.
    #[default]
    Keep,
    /// Named as nothing: it is absent from now on.
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// From an event, where nothing is ever written as null: a cleared member has a flag of its own.
    pub fn recorded(set: Option<T>, cleared: bool) -> Patch<T> {
        match set {
            Some(value) => Patch::Set(value),
            None if cleared => Patch::Clear,
            None => Patch::Keep,
        }
    }
    pub fn as_ref(&self) -> Patch<&T> {
        match self {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(value),
        }
    }
    pub fn is_keep(&self) -> bool {
        matches!(self, Patch::Keep)
    }
    pub fn is_clear(&self) -> bool {
        matches!(self, Patch::Clear)
    }
    /// What it becomes, where it becomes something.
    pub fn set(self) -> Option<T> {
        match self {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        }
    }
    /// What stands after it, where `old` stood before.
    pub fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Patch::Keep => old,
            Patch::Clear => None,
            Patch::Set(value) => Some(value),
        }
    }
    /// Errors: those of `parse`.
    pub fn try_map<U, E>(self, parse: impl FnOnce(T) -> Result<U, E>) -> Result<Patch<U>, E> {
        Ok(match self {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(parse(value)?),
        })
    }
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(with(value)),
        }
    }
}
