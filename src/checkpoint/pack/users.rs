//! Users: their ids and all that is known of them.

use super::floats::{put_f32s, take_f32s};
use super::history::{put_history, take_history};
use super::ids::{put_id, take_id};
use super::recent::{put_recent, take_recent};
use crate::checkpoint::rules;
use crate::kernel::{AlignedVec, stride_of};
use crate::model::{ActionNames, Folded, UserState};
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::types::{EventSeq, GenerationId, UserId};

/// What is there of a user.
const NOTHING: u8 = 0;
const STATE: u8 = 1;
const STATE_AND_VECTOR: u8 = 2;

/// What users are read against.
#[derive(Debug, Clone, Copy)]
pub(in crate::checkpoint) struct UserContext<'a> {
    pub(in crate::checkpoint) actions: &'a ActionNames,
    pub(in crate::checkpoint) n_items: u32,
    pub(in crate::checkpoint) n_factors: usize,
    /// Whose folded vectors are kept; `None` if there is no model.
    pub(in crate::checkpoint) generation: Option<GenerationId>,
    /// The engine's last event.
    pub(in crate::checkpoint) seq: EventSeq,
}

/// A user with an id; one who was forgotten has neither id nor state. `vector` is that of the current
/// generation, without its padding.
pub(in crate::checkpoint) fn put_user(
    out: &mut Vec<u8>,
    id: Option<&UserId>,
    state: Option<&UserState>,
    vector: Option<&[f32]>,
) {
    put_id(out, id);
    if id.is_none() {
        return;
    }
    let Some(state) = state else { return out.put_u8(NOTHING) };
    out.put_u8(if vector.is_some() { STATE_AND_VECTOR } else { STATE });
    out.put_varint(state.seq.get());
    let latest = put_history(out, &state.history);
    put_recent(out, &state.recent, state.history.cells(), latest);
    if let Some(vector) = vector {
        put_f32s(out, vector);
    }
}

pub(in crate::checkpoint) fn take_user(
    bytes: &mut TakeBytes<'_>,
    context: UserContext<'_>,
) -> Result<Option<(UserId, Option<UserState>)>, DecodeError> {
    let Some(id) = take_id::<UserId>(bytes)? else { return Ok(None) };
    rules::id_len(id.len_bytes())?;
    let has_vector = match bytes.u8()? {
        NOTHING => return Ok(Some((id, None))),
        STATE => false,
        STATE_AND_VECTOR => true,
        _ => return Err(DecodeError::Invalid("the kind of a user's state")),
    };
    let seq = EventSeq::from_raw(bytes.varint()?);
    rules::seq(seq, context.seq, "the last event of a user")?;
    let (history, latest) = take_history(bytes, context.n_items)?;
    let recent = take_recent(bytes, history.cells(), latest, (context.actions, context.n_items))?;
    let folded = if has_vector { Some(take_folded(bytes, context)?) } else { None };
    Ok(Some((id, Some(UserState { seq, history, recent, folded }))))
}

fn take_folded(bytes: &mut TakeBytes<'_>, context: UserContext<'_>) -> Result<Folded, DecodeError> {
    const WHAT: &str = "the vector of a user";
    let generation = context.generation.ok_or(DecodeError::Invalid(WHAT))?;
    let n_factors = context.n_factors;
    let mut vector = AlignedVec::zeros(stride_of(n_factors));
    take_f32s(bytes, &mut vector[..n_factors])?;
    rules::finite(&vector, WHAT)?;
    Ok(Folded { generation, vector })
}
