pub mod feed;
#[cfg(test)]
mod flipped;
pub mod handed;
pub mod history;
pub mod live;
pub mod webhooks;

use domain::ids::{InquiryId, Subject};

/// The inquiry among the subjects.
pub fn inquiry_of(subjects: &[Subject]) -> Option<InquiryId> {
    subjects.iter().find_map(|subject| if let Subject::InquiryId(id) = subject { Some(*id) } else { None })
}
