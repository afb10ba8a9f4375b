/* Who may write, and when: the protocol of a change of writer, with everything that may come late, twice or never. */

/* A side is left (L) and the other one opened (N); roles exchange on the way back. README.md maps each statement to its
   SQL, says what is left out, and lists the -D switches: bounds, which property is looked at, and one for each rule. */

#ifndef EPOCHS
#define EPOCHS 3        /* attempts to change the writer, in both directions together */
#endif
#ifndef WRITES
#define WRITES 2        /* acknowledged writes */
#endif
#ifndef COORDINATORS
#define COORDINATORS 2
#endif
#ifndef MEMBERS
#define MEMBERS 1
#endif
#if defined(EPOCH_ON_N) || defined(NO_GUARD) || defined(NO_CAS) || defined(BLIND_DECIDE) || defined(READ_N_EARLY) \
 || defined(CONFIRM_BY_OTHER) || defined(MIRROR_ALWAYS) || defined(NO_LOCK) || defined(LIST_EARLY) \
 || defined(NO_WAITING_OUT) || defined(ACK_KEEPS_QUERY) || defined(NO_WORKER_WAIT) || defined(NO_TURN_GUARD) || defined(NO_FLUSH)
#define BROKEN
#endif
#if !defined(ONLY_ONE_WRITER) && !defined(ONLY_NOTHING_LOST) && !defined(ONLY_NO_STALE_READ)
#define ONLY_ONE_WRITER
#define ONLY_NOTHING_LOST
#define ONLY_NO_STALE_READ
#endif

#define LOG (WRITES + EPOCHS)   /* no more is ever logged on a side, unless rows go round in circles */
#define SENTINEL 16             /* in a log: the sentinel of epoch v - SENTINEL; below it, the version of the row */
#define BIT(i) (1 << (i))
#define OTHER(s) (1 - (s))

mtype = { writer, fenced, moved, mirror };

typedef Side {
  mtype status; byte epoch; byte opened;        /* its row */
  byte made; byte shut;                         /* fence triggers by epoch: there at all, and enabled */
  bool running;                                 /* a write has passed the triggers and has not committed */
  byte have;                                    /* the version of the data, one row that is always overwritten */
  byte log[LOG]; byte length;                   /* what it sends to a subscriber */
  bool subscribed; bool worker;                 /* to the other side; the worker outlives the word by a while */
  byte position; byte sentinel;                 /* how far it has read the other side's log, and which sentinel it saw */
#ifdef CRASHES
  byte diskHave; byte diskLength; byte diskPosition; byte diskSentinel;
#endif
};
Side side[2];

typedef Member {
  bit use;                                      /* the side that it reads and writes */
  byte registered;                              /* sides on which its row is in the list of members */
  bool confirmed; bool old;                     /* by a query that was sent before the last fence */
  mtype saw; byte at; bool late;                /* an answer on its way to it: status, epoch, asked before the last fence */
  byte acked;                                   /* the last epoch for which it has stopped reading */
#ifdef HOLDS
  byte hold;
#endif
};
Member member[MEMBERS];
#define HELD 1
#define OVER 2          /* the lease has ended, the held work has not been let go */

byte acknowledged;      /* writes, and so the version that every later read has to see */
byte asked;             /* the epoch for which members are to stop reading; 0 once it has ended */
byte place[EPOCHS + 1]; /* P of each epoch: where the mirror back begins */

/* What was ever sent may arrive at any time, and again. A lost message is one that never does. */
#define TRIGGER 0
#define FENCE   1
#define ABORT   2
#define DECIDE  3
#define OPEN    4
#define ENABLE  5
#define DISABLE 6
#define MIRROR  7
byte sent[8];
#define MESSAGE(s, e) BIT((s) * EPOCHS + (e) - 1)
#define SEND(kind, s, e) sent[kind] = sent[kind] | MESSAGE(s, e); outdated(s)
#define SENT(kind, s, e) (sent[kind] & MESSAGE(s, e))

/* Forgets what cannot act any more, whatever happens, so that fewer states differ. Only where every guard stands. */
#ifdef BROKEN
#define outdated(s) skip
#else
#define UP_TO(s, e) ((BIT(e) - 1) << ((s) * EPOCHS))
inline outdated(s) {
  sent[TRIGGER] = sent[TRIGGER] & ~UP_TO(s, side[s].epoch);
  sent[FENCE] = sent[FENCE] & ~UP_TO(s, side[s].epoch);
  sent[OPEN] = sent[OPEN] & ~UP_TO(s, side[s].epoch);
  sent[ABORT] = sent[ABORT] & ~UP_TO(s, side[s].epoch - (side[s].status == fenced));
  sent[DECIDE] = sent[DECIDE] & ~UP_TO(s, side[s].epoch - (side[s].status == fenced));
  sent[ENABLE] = sent[ENABLE] & ~UP_TO(s, side[s].epoch - (side[s].status == moved))
}
#endif

/* Whom the fence's function lets through: no enabled trigger has an argument above `opened`. */
#define TAKES(s) ((side[s].shut >> (side[s].opened + 1)) == 0)

#ifdef CRASHES
#define SYNC(s) side[s].diskHave = side[s].have; side[s].diskLength = side[s].length; \
  side[s].diskPosition = side[s].position; side[s].diskSentinel = side[s].sentinel
#define SENDABLE(s) side[s].diskLength
#ifdef NO_FLUSH
#define FLUSH(s) skip
#else
#define FLUSH(s) SYNC(s)
#endif
#else
#define FLUSH(s) skip
#define SYNC(s) skip
#define SENDABLE(s) side[s].length
#endif

byte i;                 /* of loops inside one step; 0 between steps */
inline append(s, v) {
  if
  :: side[s].length < LOG -> side[s].log[side[s].length] = v; side[s].length++
  :: else -> log_overflow = true
  fi
}
bool log_overflow;

inline forget(m) { member[m].saw = 0; member[m].at = 0; member[m].late = false }
inline confirm_not(m) { member[m].confirmed = false; member[m].old = false }

/* ---- The statements: CAN_x is what `where` says, or the guard; x what the statement does. ---- */

#ifdef NO_GUARD
#define CAN_TRIGGER(s, e) true
#else
#define CAN_TRIGGER(s, e) (side[s].status == writer && side[s].epoch + 1 == e)
#endif
inline trigger(s, e) { side[s].made = side[s].made | BIT(e); side[s].shut = side[s].shut & ~BIT(e); SYNC(s) }

/* Locks wait for every write under way; one that never comes is a fence that never comes. */
#ifdef NO_LOCK
#define CAN_FENCE(s, e) (side[s].status == writer && side[s].epoch + 1 == e && (side[s].made & BIT(e)))
#else
#define CAN_FENCE(s, e) (side[s].status == writer && side[s].epoch + 1 == e && (side[s].made & BIT(e)) && !side[s].running)
#endif
inline fence(s, e) {
  side[s].status = fenced; side[s].epoch = e; side[s].shut = side[s].shut | BIT(e);
  append(s, SENTINEL + e); outdated(s);
  do
  :: i < MEMBERS ->
     member[i].old = member[i].confirmed; member[i].late = (member[i].saw != 0); i++
  :: else -> i = 0; break
  od;
  SYNC(s)
}

/* Nobody asks any more who has stopped reading, nor waits anybody out. */
inline ended() {
  asked = 0;
  do
  :: i < MEMBERS -> member[i].acked = 0; member[i].old = false; member[i].late = false; i++
  :: else -> i = 0; break
  od
}

#ifdef NO_CAS
#define CAN_ABORT(s, e) true
#else
#define CAN_ABORT(s, e) ((side[s].status == fenced && side[s].epoch == e) || (side[s].status == writer && side[s].epoch + 1 == e))
#endif
inline abort(s, e) { side[s].status = writer; side[s].epoch = e; side[s].opened = e; outdated(s); ended(); SYNC(s) }

#ifdef EPOCH_ON_N
#define NOT_ON_N(s, e) (side[OTHER(s)].epoch < e)
/* The right to write goes over by a row on N; L only hears of it. */
#define CAN_DECIDE(s, e) (side[OTHER(s)].epoch < e)
inline decide(s, e) { open(OTHER(s), e); side[s].status = (side[s].epoch == e && side[s].status == fenced -> moved : side[s].status) }
#else
#define NOT_ON_N(s, e) true
#ifdef BLIND_DECIDE
#define CAN_DECIDE(s, e) (side[s].epoch == e)
#else
#define CAN_DECIDE(s, e) (side[s].status == fenced && side[s].epoch == e)
#endif
inline decide(s, e) { side[s].status = moved; outdated(s); ended(); SYNC(s) }
#endif

#ifdef NO_CAS
#define CAN_OPEN(s, e) true
#else
#define CAN_OPEN(s, e) (side[s].epoch < e)
#endif
inline open(s, e) { side[s].status = writer; side[s].epoch = e; side[s].opened = e; outdated(s); SYNC(s) }

#define CAN_DISABLE(s) (side[s].status == writer || side[s].status == fenced)
inline disable(s) { side[s].subscribed = false; SYNC(s) }

#ifdef NO_TURN_GUARD
#define CAN_ENABLE(s, e) (!side[s].subscribed)
#else
#define CAN_ENABLE(s, e) (side[s].status == moved && side[s].epoch == e && !side[s].subscribed)
#endif
inline enable(s, e) {
  side[s].position = (side[s].position < place[e] -> place[e] : side[s].position);
  side[s].subscribed = true; side[s].worker = true; SYNC(s)
}

/* `on conflict do nothing`: both rows are there from the beginning. */
#ifdef MIRROR_ALWAYS
#define CAN_MIRROR(s) true
#else
#define CAN_MIRROR(s) false
#endif
inline insert_mirror(s) { side[s].status = mirror }

/* ---- The world ---- */

/* Anybody, on any side, at any time; only the triggers are in the way. */
#define BEGIN(s) atomic { TAKES(s) && !side[s].running && acknowledged < WRITES -> side[s].running = true }
#define COMMIT(s) atomic { side[s].running -> side[s].running = false; \
  acknowledged++; side[s].have = acknowledged; append(s, acknowledged); SYNC(s) }
proctype applications() {
end:
  do
  :: BEGIN(0)
  :: BEGIN(1)
  :: COMMIT(0)
  :: COMMIT(1)
  od
}

/* The apply worker of side s. What it applies is logged there, too. */
#define APPLY(s) atomic { side[s].worker && side[s].position < SENDABLE(OTHER(s)) -> \
  if \
  :: side[OTHER(s)].log[side[s].position] > SENTINEL -> side[s].sentinel = side[OTHER(s)].log[side[s].position] - SENTINEL \
  :: else -> side[s].have = side[OTHER(s)].log[side[s].position]; append(s, side[s].have) \
  fi; \
  side[s].position++ }
#define STOP(s) atomic { side[s].worker && !side[s].subscribed -> side[s].worker = false }
proctype replication() {
end:
  do
  :: APPLY(0)
  :: APPLY(1)
  :: STOP(0)
  :: STOP(1)
  od
}

#ifdef CRASHES
/* What a worker has applied and nobody has flushed is gone, with the position up to which it has read. */
#define CRASH(s) atomic { side[s].position != side[s].diskPosition || side[s].running -> \
  side[s].running = false; side[s].have = side[s].diskHave; side[s].position = side[s].diskPosition; \
  side[s].sentinel = side[s].diskSentinel; \
  do :: side[s].length > side[s].diskLength -> side[s].length--; side[s].log[side[s].length] = 0 :: else -> break od }
proctype crashes() {
end:
  do
  :: CRASH(0)
  :: CRASH(1)
  od
}
#endif

#define LATE(s, e) \
  :: atomic { SENT(TRIGGER, s, e) && CAN_TRIGGER(s, e) -> trigger(s, e) } \
  :: atomic { SENT(FENCE, s, e) && CAN_FENCE(s, e) -> fence(s, e) } \
  :: atomic { SENT(ABORT, s, e) && CAN_ABORT(s, e) -> abort(s, e) } \
  :: atomic { SENT(DECIDE, s, e) && CAN_DECIDE(s, e) -> decide(s, e) } \
  :: atomic { SENT(OPEN, s, e) && CAN_OPEN(s, e) -> open(s, e) } \
  :: atomic { SENT(ENABLE, s, e) && CAN_ENABLE(s, e) -> enable(s, e) }
#define LATE_ALWAYS(s) \
  :: atomic { SENT(DISABLE, s, 1) && CAN_DISABLE(s) && side[s].subscribed -> disable(s) } \
  :: atomic { SENT(MIRROR, s, 1) && CAN_MIRROR(s) -> sent[MIRROR] = sent[MIRROR] & ~MESSAGE(s, 1); insert_mirror(s) }
proctype network() {
end:
  do
  LATE_ALWAYS(0)
  LATE_ALWAYS(1)
  LATE(0, 1)
  LATE(1, 1)
#if EPOCHS > 1
  LATE(0, 2)
  LATE(1, 2)
#endif
#if EPOCHS > 2
  LATE(0, 3)
  LATE(1, 3)
#endif
#ifdef HOLDS
  :: break
#endif
  od
}

/* ---- A coordinator. It may die at each step; whoever is started afterwards knows only the rows. ---- */

#define DIE left = 0; e = 0; list = 0; goto again
#define READ_LIST atomic { \
    do \
    :: i < MEMBERS -> list = list | (member[i].registered & BIT(left) -> BIT(i) : 0); i++ \
    :: else -> i = 0; break \
    od }
#define LISTED(m) ((list & BIT(m)) && member[m].acked != e)
#if MEMBERS > 1
#define SOMEBODY_READS (LISTED(0) || LISTED(1))
#else
#define SOMEBODY_READS LISTED(0)
#endif
/* The fence's commit and the time of a confirmation are over: what was asked before the fence confirms nobody any more. */
#ifdef NO_WAITING_OUT
#define CONFIRMATIONS_END false
#else
#define CONFIRMATIONS_END true
#endif
#define WAIT_OUT(m) atomic { LISTED(m) -> list = list & ~BIT(m); \
  if \
  :: CONFIRMATIONS_END && side[left].status == fenced && side[left].epoch == e -> \
     if :: member[m].old -> confirm_not(m) :: else fi; \
     if :: member[m].late && member[m].saw == writer -> forget(m) :: else fi \
  :: else \
  fi }

proctype coordinator() {
  bit left; byte e; byte list;
again:
end:
  if
#ifdef HOLDS
  :: goto gone
#endif
  :: atomic { side[0].status == writer && side[0].epoch < EPOCHS -> left = 0; e = side[0].epoch + 1 }
  :: atomic { side[1].status == writer && side[1].epoch < EPOCHS -> left = 1; e = side[1].epoch + 1 }
  /* recover */
  :: atomic { side[0].status == fenced && NOT_ON_N(0, side[0].epoch) -> left = 0; e = side[0].epoch; goto quit }
  :: atomic { side[1].status == fenced && NOT_ON_N(1, side[1].epoch) -> left = 1; e = side[1].epoch; goto quit }
  :: atomic { side[0].status == moved && (side[1].epoch < side[0].epoch || !side[0].subscribed) -> left = 0; e = side[0].epoch; goto opens }
  :: atomic { side[1].status == moved && (side[0].epoch < side[1].epoch || !side[1].subscribed) -> left = 1; e = side[1].epoch; goto opens }
  fi;
  /* prepare */
#ifdef LIST_EARLY
  READ_LIST;
#endif
#ifdef MIRROR_ALWAYS
  atomic { SEND(MIRROR, OTHER(left), 1); if :: insert_mirror(OTHER(left)) :: skip fi }
#endif
  atomic { SEND(TRIGGER, left, e);
    if
    :: CAN_TRIGGER(left, e) -> trigger(left, e)
    :: DIE
    fi }
  /* fence: only who got the answer goes on */
  atomic { SEND(FENCE, left, e);
    if
    :: CAN_FENCE(left, e) -> fence(left, e)
    :: goto quit
    :: DIE
    fi }
  /* catch-up */
  if
  :: atomic { side[OTHER(left)].sentinel >= e -> place[e] = side[OTHER(left)].length; FLUSH(OTHER(left)) }
  :: atomic { DIE }
  fi;
  /* stop-reads: the list is read after the fence's commit */
  atomic { asked = e;
#ifndef LIST_EARLY
    READ_LIST
#else
    skip
#endif
  }
  do
  :: WAIT_OUT(0)
#if MEMBERS > 1
  :: WAIT_OUT(1)
#endif
  :: atomic { DIE }
  /* decide */
  :: atomic { !SOMEBODY_READS -> list = 0; SEND(DECIDE, left, e);
       if
       :: CAN_DECIDE(left, e) -> decide(left, e); break
       :: DIE
       fi }
  od;
opens:
  atomic { SEND(OPEN, OTHER(left), e);
    if
    :: CAN_OPEN(OTHER(left), e) -> open(OTHER(left), e)
    :: !CAN_OPEN(OTHER(left), e)
    :: DIE
    fi }
  /* reverse: two guarded transactions, and between them the worker has gone */
  atomic { SEND(DISABLE, OTHER(left), 1);
    if
    :: CAN_DISABLE(OTHER(left)) -> disable(OTHER(left))
    :: DIE
    fi }
  atomic {
    if
#ifdef NO_WORKER_WAIT
    :: true
#else
    :: !side[OTHER(left)].worker
#endif
       -> SEND(ENABLE, left, e);
       if
       :: CAN_ENABLE(left, e) -> enable(left, e)
       :: skip
       fi
    :: true
    fi;
    DIE }
quit:
#ifdef EPOCH_ON_N
  /* "no row there -> unfence": looked at first, done afterwards */
  if
  :: NOT_ON_N(left, e)
  :: else -> goto opens
  fi;
#endif
  atomic { SEND(ABORT, left, e);
    if
    :: CAN_ABORT(left, e) -> abort(left, e)
    :: skip
    fi;
    DIE };
gone:
  skip
}

/* ---- A member ---- */

#define ME member[m]
#ifdef HOLDS
#define LET_GO ME.hold = 0
#define MAY_FAIL (ME.hold != OVER)      /* after the lease the sides answer */
#else
#define LET_GO skip
#define MAY_FAIL true
#endif

inline stop_reading(m) {
#ifdef READ_N_EARLY
  ME.use = OTHER(ME.use); ME.confirmed = true; ME.old = false; forget(m)
#else
  confirm_not(m);
#ifndef ACK_KEEPS_QUERY
  forget(m)
#endif
#endif
}

proctype process(byte m) {
end:
  do
  :: atomic { !(ME.registered & BIT(ME.use)) && ME.saw == 0 -> ME.registered = ME.registered | BIT(ME.use) }
  /* A query for the row of the side that it uses; sent and read in one step, answered later. */
  :: atomic { (ME.registered & BIT(ME.use)) && ME.saw == 0 ->
       ME.at = side[ME.use].epoch; ME.saw = side[ME.use].status;
#ifdef EPOCH_ON_N
       if
       :: ME.saw == fenced && !NOT_ON_N(ME.use, ME.at) -> ME.saw = moved
       :: else
       fi
#elif defined(CONFIRM_BY_OTHER)
       if
       :: ME.saw != writer && (side[OTHER(ME.use)].status == mirror || side[OTHER(ME.use)].status == moved) -> ME.saw = writer
       :: else
       fi
#else
       skip
#endif
     }
  :: atomic { ME.saw == writer -> ME.confirmed = true; ME.old = ME.late; forget(m); LET_GO }
  :: atomic { ME.saw == fenced -> SEND(ABORT, ME.use, ME.at);
       if
       :: CAN_ABORT(ME.use, ME.at) -> abort(ME.use, ME.at)
       :: !CAN_ABORT(ME.use, ME.at) || MAY_FAIL
       fi;
       forget(m) }
  :: atomic { ME.saw == moved -> SEND(OPEN, OTHER(ME.use), ME.at);
       if
       :: CAN_OPEN(OTHER(ME.use), ME.at) -> open(OTHER(ME.use), ME.at)
       :: !CAN_OPEN(OTHER(ME.use), ME.at) || MAY_FAIL
       fi;
       ME.use = OTHER(ME.use); confirm_not(m); forget(m) }
  :: atomic { ME.saw == mirror -> ME.use = OTHER(ME.use); confirm_not(m); forget(m) }
  :: atomic { asked > ME.acked -> ME.acked = asked; stop_reading(m) }
#ifdef HOLDS
  :: atomic { ME.hold == 0 -> ME.hold = HELD }
#endif
  /* Dies, and starts again on whichever side it likes. */
  :: atomic { ME.use = OTHER(ME.use); confirm_not(m); forget(m); LET_GO }
  od
}

#ifdef HOLDS
/* The lease of each hold ends, whatever its process is at. */
proctype lease(byte m) {
end:
  do
  :: atomic { ME.hold == HELD -> ME.hold = OVER }
  od
}
ltl every_hold_ends { [] ((member[0].hold == OVER) -> <> (member[0].hold == 0)) }
#endif

/* ---- The properties, looked at in every state ---- */

#define WRITES_ON(s) (TAKES(s) || side[s].running)
#define MISSES(m) (member[m].confirmed && side[member[m].use].have != acknowledged)
hidden byte one_writer, nothing_lost, no_stale_read, log_suffices;      /* never true: their names are what pan prints */
proctype properties() {
end:
  do
#ifdef ONLY_ONE_WRITER
  :: atomic { WRITES_ON(0) && WRITES_ON(1) -> assert(one_writer) }
  :: atomic { side[0].status == writer && side[1].status == writer -> assert(one_writer) }
#endif
#ifdef ONLY_NOTHING_LOST
  :: atomic { (TAKES(0) && side[0].have != acknowledged) || (TAKES(1) && side[1].have != acknowledged) -> assert(nothing_lost) }
#endif
#ifdef ONLY_NO_STALE_READ
  :: atomic { MISSES(0) -> assert(no_stale_read) }
#if MEMBERS > 1
  :: atomic { MISSES(1) -> assert(no_stale_read) }
#endif
#endif
#ifndef BROKEN
  :: atomic { log_overflow -> assert(log_suffices) }
#endif
  od
}

init {
  atomic {
    side[0].status = writer;
    /* Its triggers were enabled before the first row was copied. */
    side[1].status = mirror; side[1].made = BIT(1); side[1].shut = BIT(1);
    side[1].subscribed = true; side[1].worker = true;
    member[0].use = 0;
    run applications(); run replication(); run network(); run properties();
#ifdef CRASHES
    run crashes();
#endif
    do :: i < COORDINATORS -> run coordinator(); i++ :: else -> i = 0; break od;
    do :: i < MEMBERS -> run process(i);
#ifdef HOLDS
      run lease(i);
#endif
      i++ :: else -> i = 0; break od
  }
}
