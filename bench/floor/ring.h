#ifndef EBS_BENCH_FLOOR_RING_H_
#define EBS_BENCH_FLOOR_RING_H_

#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace ebs {

// A minimal io_uring(7) for reads, of one thread: to find out what it would bring the engine.
class Ring {
 public:
  // Returns false where the kernel has none to give.
  bool Open(unsigned entry_count) {
    io_uring_params params = {};
    descriptor_ = static_cast<int>(syscall(SYS_io_uring_setup, entry_count, &params));
    if (descriptor_ < 0 || (params.features & IORING_FEAT_SINGLE_MMAP) == 0) return false;
    size_t submissions_end = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t completions_end = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
    auto* rings = Map<uint8_t>(std::max(submissions_end, completions_end), IORING_OFF_SQ_RING);
    entries_ = Map<io_uring_sqe>(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
    if (rings == MAP_FAILED || entries_ == MAP_FAILED) return false;
    tail_ = reinterpret_cast<unsigned*>(rings + params.sq_off.tail);
    mask_ = *reinterpret_cast<unsigned*>(rings + params.sq_off.ring_mask);
    order_ = reinterpret_cast<unsigned*>(rings + params.sq_off.array);
    done_head_ = reinterpret_cast<unsigned*>(rings + params.cq_off.head);
    done_tail_ = reinterpret_cast<unsigned*>(rings + params.cq_off.tail);
    done_mask_ = *reinterpret_cast<unsigned*>(rings + params.cq_off.ring_mask);
    done_ = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
    return true;
  }

  // Begins to read; `tag` comes back with the result. Returns 0 or the errno.
  int Read(int file, void* bytes, size_t size, off_t offset, uint64_t tag) {
    unsigned tail = *tail_;
    io_uring_sqe& entry = entries_[tail & mask_];
    entry = {};
    entry.opcode = IORING_OP_READ;
    entry.fd = file;
    entry.addr = reinterpret_cast<uintptr_t>(bytes);
    entry.len = static_cast<unsigned>(size);
    entry.off = static_cast<uint64_t>(offset);
    entry.user_data = tag;
    order_[tail & mask_] = tail & mask_;
    __atomic_store_n(tail_, tail + 1, __ATOMIC_RELEASE);
    return Enter(1, 0);
  }

  // Waits for a read to end. Sets what read(2) would return, or minus the errno.
  uint64_t Wait(int* result) {
    while (*done_head_ == __atomic_load_n(done_tail_, __ATOMIC_ACQUIRE)) Enter(0, 1);
    io_uring_cqe completion = done_[*done_head_ & done_mask_];
    __atomic_store_n(done_head_, *done_head_ + 1, __ATOMIC_RELEASE);
    *result = completion.res;
    return completion.user_data;
  }

 private:
  template <typename T>
  T* Map(size_t size, off_t what) {
    constexpr int kAccess = PROT_READ | PROT_WRITE;
    return static_cast<T*>(mmap(nullptr, size, kAccess, MAP_SHARED, descriptor_, what));
  }

  int Enter(unsigned submit_count, unsigned wait_count) {
    unsigned flags = wait_count > 0 ? IORING_ENTER_GETEVENTS : 0;
    long result;
    do {
      result =
          syscall(SYS_io_uring_enter, descriptor_, submit_count, wait_count, flags, nullptr, 0);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
  }

  int descriptor_ = -1;
  io_uring_sqe* entries_ = nullptr;
  unsigned* tail_ = nullptr;
  unsigned* order_ = nullptr;
  unsigned* done_head_ = nullptr;
  unsigned* done_tail_ = nullptr;
  io_uring_cqe* done_ = nullptr;
  unsigned mask_ = 0;
  unsigned done_mask_ = 0;
};

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_RING_H_
