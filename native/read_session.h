#ifndef EBS_NATIVE_READ_SESSION_H_
#define EBS_NATIVE_READ_SESSION_H_

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "block_facts.h"
#include "block_selection.h"
#include "extent_map.h"
#include "sizes.h"
#include "slot_list.h"
#include "source_file.h"
#include "status.h"
#include "thread.h"

namespace ebs {

// What a session reads, into what memory, with what.
struct ReadRequest {
  std::string path;
  uint64_t first_block = 0;
  // A range past the end of the source is cut there.
  uint64_t block_count = UINT64_MAX;
  // slot_count * kBlockSize bytes on a page border. Must stay until the session is destroyed.
  uint8_t* memory = nullptr;
  uint32_t slot_count = 1;
  uint32_t thread_count = 1;
  Kernels kernels;
};

// A file or device that was opened.
struct SourceInfo {
  uint64_t size_bytes = 0;
  bool is_block_device = false;
  bool is_direct = false;
};

// Blocks in index order: all of one kind, and only one when it has a slot.
struct BlockRun {
  static constexpr int32_t kZero = -1;
  static constexpr int32_t kHole = -2;

  uint64_t first_block = 0;
  uint64_t count = 0;
  // The slot with the block's bytes, or kZero or kHole.
  int32_t slot = kZero;
  uint8_t digest[kDigestSize];
};

// What there is to know at the moment.
enum class Progress { kNothingNew, kReady, kEnd, kFailed };

// Reads a run of blocks of one source with threads of its own, scans and hashes them, and hands
// them out in index order. Knows nothing of JavaScript.
//
// Threads take turns to claim the next few blocks and the slots for them, and then read and hash on
// their own; whoever has the turn waits for free slots, so slots go to the lowest block first. What
// is claimed but not yet handed out is bounded by a ring, slots or not.
//
// A slot is free (SlotList), or being filled by one thread, or with the caller from Take to
// GiveBack; only free ones are filled.
//
// All public functions belong to one thread, the caller's.
class ReadSession {
 public:
  // `on_change` is called from the session's threads, after WaitForChange; `on_end` once, by the
  // last thread as the last thing it does with the session. Neither may call back into it.
  ReadSession(ReadRequest request, std::function<void()> on_change, std::function<void()> on_end);

  // Stops, and waits until the threads have ended: as long as the read they are in.
  ~ReadSession();
  ReadSession(const ReadSession&) = delete;
  ReadSession& operator=(const ReadSession&) = delete;

  // Opens the source, in a thread. Returns false when there could be none; Opened then says why,
  // and neither callback is ever called.
  bool Start();

  // Whether the source is open. kReady sets `info`, kFailed `status`.
  Progress Opened(SourceInfo* info, Status* status);

  // Reads only the blocks whose bits are set (BlockSelection), of those asked for. Once the source
  // is open, and before the first Take.
  void Select(const uint8_t* bits, size_t size);

  // Takes all blocks that are ready, up to the first that is not; the first call starts the
  // reading. kFailed, with `status`, comes after the blocks before the failure, and stays.
  Progress Take(std::vector<BlockRun>* runs, Status* status);

  // Asks for one call of on_change, as soon as anything is new since the last Opened, Take or
  // HasEnded.
  void WaitForChange();

  // Gives a slot of a block back. Returns false when the caller does not have it.
  bool GiveBack(uint32_t slot);

  // Bounds how many slots may be taken at one time; those beyond it are filled no more once they
  // have come back. At least 1.
  void LimitSlots(uint32_t limit);

  // Adds slots, numbered from the present count on: `count` * kBlockSize bytes on a page border,
  // which must stay as the first ones must. The limit rises with them.
  void AddSlots(uint8_t* memory, uint32_t count);

  // Lets each thread finish the read that it is in, and end. Idempotent.
  void Stop();

  // Whether all threads have ended; the file is then closed.
  bool HasEnded();

 private:
  // A few neighbouring blocks, from claim to hand-out. While in a thread's hands, only that thread
  // touches it.
  struct Work {
    uint64_t first_block = 0;
    uint64_t count = 0;
    bool is_hole = false;
    bool is_done = false;
    Status status;
    std::array<uint32_t, kRunBlocksMax> slots;
    // Where they are.
    std::array<uint8_t*, kRunBlocksMax> bytes;
    std::array<BlockFacts, kRunBlocksMax> facts;
  };

  // Pieces of work that are claimed and not yet handed out, at most: 32 MiB of data read ahead.
  static constexpr uint64_t kWorkMax = 16;

  // Ready blocks that are worth a hop into JavaScript while more are to come. Measured: beyond 16,
  // the hop is a small part of what the blocks cost.
  static constexpr uint64_t kHopBlocks = 16;

  void RunFirstThread();
  void StartHelpers();
  bool WaitForStart();
  void ReadUntilEnd();
  void EndThread();

  // The next work, or null when there is no more to do.
  Work* Claim();
  Status FindNext(bool* is_hole, uint64_t* count);
  bool CanClaim() const;
  void WakeClaimer();
  void Fill(Work* work);
  Status Read(const Work& work);
  void Publish(Work* work);
  bool IsWorthAHop();
  void Collect(const Work& work, std::vector<BlockRun>* runs) const;
  // Tells the caller, if it waits. Lets go of `lock`, which is of mutex_.
  void NoteChange(std::unique_lock<std::mutex> lock);

  Work& WorkAt(uint64_t sequence) { return works_[sequence % kWorkMax]; }

  const ReadRequest request_;
  const std::function<void()> on_change_;
  const std::function<void()> on_end_;

  SourceFile file_;
  // Started by the first thread, and joined after it.
  std::deque<Thread> helpers_;
  Thread first_thread_;

  // The turn to claim. Guards the members up to the next comment; taken before mutex_.
  std::mutex turn_;
  ExtentMap extents_;
  uint64_t next_block_ = 0;
  // Both set before reading starts.
  BlockSelection selection_;
  uint64_t end_block_ = 0;

  // Guards all that follows.
  std::mutex mutex_;
  // For the one thread that waits: the first for the start, or the one that has the turn.
  std::condition_variable changed_;
  bool is_claimer_waiting_ = false;
  uint64_t slots_awaited_ = 0;
  SlotList slots_;
  // Where each slot is.
  std::vector<uint8_t*> slot_bytes_;
  std::array<Work, kWorkMax> works_;
  // Work [handed_out_, claimed_) is in the ring.
  uint64_t handed_out_ = 0;
  uint64_t claimed_ = 0;
  // Of these, the ones that are not done.
  uint64_t unfinished_ = 0;
  bool is_all_claimed_ = false;
  uint32_t live_thread_count_ = 0;
  bool is_ended_ = false;
  bool is_opened_ = false;
  Status open_status_;
  SourceInfo info_;
  bool is_reading_wanted_ = false;
  bool is_stopping_ = false;
  // Something is new to the caller; on_change is wanted.
  bool is_news_ = false;
  bool is_waited_for_ = false;
};

}  // namespace ebs

#endif  // EBS_NATIVE_READ_SESSION_H_
