// What nvcc would supply, so that CuPy's generated CUDA C++ compiles with g++ and runs on the CPU.
//
// Everything here is precompiled together with CuPy's own headers, and included before each kernel.
// State is held in C++17 inline variables: g++ gives them one address in the whole process, so all
// kernels share one set of thread stacks however many libraries they were compiled into. Launches
// never overlap (the caller holds Python's lock), so nothing here is protected against threads.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <ucontext.h>

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

// ---- the language -------------------------------------------------------------------------------
#define __CUDACC_VER_MAJOR__ 12
#define __device__
#define __host__
#define __global__
#define __constant__ static
// Blocks run one after another, so one static copy serves as the shared memory of each in turn.
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __restrict__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

using std::isfinite;
using std::isinf;
using std::isnan;
using std::ptrdiff_t;
using std::signbit;
using std::size_t;
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim, gridDim;
static const int warpSize = 32;

// ---- the threads of one block -------------------------------------------------------------------
namespace emulator {

const unsigned kMaxThreads = 1024;
const size_t kStackBytes = 1 << 16;

// Waits until every member has arrived. A thread that returns from the kernel leaves, as on a GPU.
struct Barrier {
  unsigned members, waiting, generation;

  void start(unsigned count) {
    members = count;
    waiting = generation = 0;
  }
  void release() {
    waiting = 0;
    generation++;
  }
  inline void wait();
  void leave() {
    if (--members > 0 && waiting == members) release();
  }
};

// One thread of a block. Its stack is its own, and serves block after block, kernel after kernel.
struct Fiber {
  ucontext_t entry;
  jmp_buf state;
  dim3 index;
  bool started = false;
  bool finished;
};

// The block that is running. `scheduler` is where a fiber goes back to when it has to wait.
struct Block {
  Fiber* fibers[kMaxThreads];
  unsigned size = 0, current = 0;
  Barrier all, warps[kMaxThreads / 32];
  jmp_buf scheduler;
  void (*invoke)(void* kernel, void** arguments);
  void* kernel;
  void** arguments;
  char exchanged[kMaxThreads][16];
};
inline Block block;

inline Barrier& warp() { return block.warps[block.current / 32]; }

// ucontext only makes the stack: its switches cost two system calls, _setjmp and _longjmp none.
// (-U_FORTIFY_SOURCE, for glibc would take a jump to another stack for an attack.)
inline void pause() {
  if (_setjmp(block.fibers[block.current]->state) == 0) _longjmp(block.scheduler, 1);
}

__attribute__((noinline)) inline void resume(Fiber* fiber) {
  if (_setjmp(block.scheduler) != 0) return;
  if (fiber->started) _longjmp(fiber->state, 1);
  fiber->started = true;
  setcontext(&fiber->entry);
}

inline void Barrier::wait() {
  unsigned mine = generation;
  if (++waiting == members) {
    release();
  } else {
    while (generation == mine) pause();
  }
}

inline void run_fiber() {
  for (;;) {
    block.invoke(block.kernel, block.arguments);
    block.fibers[block.current]->finished = true;
    block.all.leave();
    warp().leave();
    pause();
  }
}

inline Fiber* make_fiber() {
  Fiber* fiber = new Fiber;
  getcontext(&fiber->entry);
  fiber->entry.uc_stack.ss_sp = malloc(kStackBytes);
  fiber->entry.uc_stack.ss_size = kStackBytes;
  fiber->entry.uc_link = nullptr;
  makecontext(&fiber->entry, run_fiber, 0);
  return fiber;
}

inline void start_block() {
  block.size = blockDim.x * blockDim.y * blockDim.z;
  assert(block.size <= kMaxThreads);
  block.all.start(block.size);
  for (unsigned first = 0; first < block.size; first += 32)
    block.warps[first / 32].start(block.size - first < 32 ? block.size - first : 32);
  for (unsigned i = 0; i < block.size; i++) {
    if (block.fibers[i] == nullptr) block.fibers[i] = make_fiber();
    block.fibers[i]->finished = false;
    block.fibers[i]->index = dim3{i % blockDim.x, i / blockDim.x % blockDim.y,
                                  i / (blockDim.x * blockDim.y)};
  }
}

inline void run_block_on_fibers() {
  start_block();
  for (bool waiting = true; waiting;) {
    waiting = false;
    for (block.current = 0; block.current < block.size; block.current++) {
      Fiber* fiber = block.fibers[block.current];
      if (fiber->finished) continue;
      threadIdx = fiber->index;
      resume(fiber);
      if (!fiber->finished) waiting = true;
    }
  }
}

inline void run_block_in_turn() {
  for (threadIdx.z = 0; threadIdx.z < blockDim.z; threadIdx.z++)
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
      for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
        block.invoke(block.kernel, block.arguments);
}

// How the threads of a kernel are run; kernels.py reads off the source which one is right.
enum Mode {
  kOneThread,  // a grid-stride loop: a single thread does the work of all
  kInTurn,     // no barrier: each thread runs to its end before the next begins
  kOnFibers,   // barriers: the threads of a block wait for one another
};

inline void run_grid(Mode mode, const unsigned* grid, const unsigned* threads) {
  threadIdx = blockIdx = dim3{0, 0, 0};
  gridDim = blockDim = dim3{1, 1, 1};
  if (mode == kOneThread) return block.invoke(block.kernel, block.arguments);
  gridDim = dim3{grid[0], grid[1], grid[2]};
  blockDim = dim3{threads[0], threads[1], threads[2]};
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
        if (mode == kOnFibers) run_block_on_fibers();
        else run_block_in_turn();
}

// ---- launching ----------------------------------------------------------------------------------
// CUDA hands a kernel an array of pointers to its arguments; the kernel's type says what they are.
template <class T>
using Stored = typename std::remove_const<typename std::remove_reference<T>::type>::type;

template <class... Arguments, size_t... I>
inline void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
  kernel(*reinterpret_cast<Stored<Arguments>*>(arguments[I])...);
}

template <class... Arguments>
inline void invoke(void* kernel, void** arguments) {
  call(reinterpret_cast<void (*)(Arguments...)>(kernel), arguments,
       std::index_sequence_for<Arguments...>{});
}

template <class... Arguments>
inline void launch(Mode mode, void (*kernel)(Arguments...), void** arguments, const unsigned* grid,
                   const unsigned* threads) {
  block.invoke = invoke<Arguments...>;
  block.kernel = reinterpret_cast<void*>(kernel);
  block.arguments = arguments;
  run_grid(mode, grid, threads);
}

// ---- what the threads of a warp tell one another ------------------------------------------------
template <class T>
inline T exchange(T value, unsigned lane, int width) {
  static_assert(sizeof(T) <= 16, "a shuffle carries at most 16 bytes");
  unsigned first = block.current / width * width;
  memcpy(block.exchanged[block.current], &value, sizeof(T));
  warp().wait();
  T result;
  memcpy(&result, block.exchanged[first + lane], sizeof(T));
  warp().wait();
  return result;
}

}  // namespace emulator

// kernels.py replaces `extern __shared__ T name[]` by a pointer to this.
alignas(16) inline char dynamic_shared_memory[1 << 18];

inline void __syncthreads() { emulator::block.all.wait(); }
inline void __syncwarp(unsigned = 0xffffffffu) { emulator::warp().wait(); }
inline void __threadfence() {}

template <class T>
inline T __shfl_sync(unsigned, T value, int lane, int width = 32) {
  return emulator::exchange(value, lane % width, width);
}
template <class T>
inline T __shfl_xor_sync(unsigned, T value, int mask, int width = 32) {
  return emulator::exchange(value, emulator::block.current % width ^ mask, width);
}
template <class T>
inline T __shfl_up_sync(unsigned, T value, unsigned delta, int width = 32) {
  unsigned lane = emulator::block.current % width;
  return emulator::exchange(value, lane >= delta ? lane - delta : lane, width);
}
template <class T>
inline T __shfl_down_sync(unsigned, T value, unsigned delta, int width = 32) {
  unsigned lane = emulator::block.current % width;
  return emulator::exchange(value, lane + delta < (unsigned)width ? lane + delta : lane, width);
}
inline int __any_sync(unsigned mask, int predicate) {
  for (int step = 1; step < 32; step *= 2) predicate |= __shfl_xor_sync(mask, predicate, step);
  return predicate;
}

// ---- atomics: threads switch only at barriers, so plain code is atomic --------------------------
#define ATOMIC_IF(NAME, T, CONDITION)  \
  inline T NAME(T* address, T value) { \
    T old = *address;                  \
    if (CONDITION) *address = value;   \
    return old;                        \
  }
#define ATOMIC(NAME, T, NEW)           \
  inline T NAME(T* address, T value) { \
    T old = *address;                  \
    *address = NEW;                    \
    return old;                        \
  }
#define ATOMICS_ORDER_AND_BITS(T)      \
  ATOMIC_IF(atomicMax, T, value > old) \
  ATOMIC_IF(atomicMin, T, value < old) \
  ATOMIC(atomicAnd, T, old & value)    \
  ATOMIC(atomicOr, T, old | value)     \
  ATOMIC(atomicXor, T, old ^ value)
#define ATOMICS_ADD_AND_SWAP(T)                        \
  ATOMIC(atomicAdd, T, old + value)                    \
  ATOMIC(atomicSub, T, old - value)                    \
  ATOMIC(atomicExch, T, value)                         \
  inline T atomicCAS(T* address, T compare, T value) { \
    T old = *address;                                  \
    if (old == compare) *address = value;              \
    return old;                                        \
  }
ATOMICS_ORDER_AND_BITS(int)
ATOMICS_ORDER_AND_BITS(unsigned int)
ATOMICS_ORDER_AND_BITS(unsigned long long)
ATOMICS_ORDER_AND_BITS(long long)
ATOMICS_ADD_AND_SWAP(int)
ATOMICS_ADD_AND_SWAP(unsigned int)
ATOMICS_ADD_AND_SWAP(unsigned long long)
ATOMIC(atomicAdd, float, old + value)
ATOMIC(atomicAdd, double, old + value)

// ---- intrinsics ---------------------------------------------------------------------------------
template <class To, class From>
inline To reinterpret_bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To result;
  memcpy(&result, &value, sizeof(To));
  return result;
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline float __int_as_float(int x) { return reinterpret_bits<float>(x); }
inline int __float_as_int(float x) { return reinterpret_bits<int>(x); }
inline double __longlong_as_double(long long x) { return reinterpret_bits<double>(x); }
inline long long __double_as_longlong(double x) { return reinterpret_bits<long long>(x); }
inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return (int)__double_as_longlong(x); }
inline double __hiloint2double(int high, int low) {
  return __longlong_as_double((long long)high << 32 | (unsigned)low);
}
inline unsigned short __float2half_rn(float x) {
  return reinterpret_bits<unsigned short>((_Float16)x);
}
inline float __half2float(unsigned short bits) { return (float)reinterpret_bits<_Float16>(bits); }

template <class A, class B>
using Common = typename std::enable_if<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value,
                                       typename std::common_type<A, B>::type>::type;

// CUDA's min and max take mixed types and prefer a number to a NaN.
template <class A, class B>
inline Common<A, B> min(A a, B b) {
  typedef Common<A, B> C;
  if constexpr (std::is_floating_point<C>::value) return std::fmin((C)a, (C)b);
  else return (C)a < (C)b ? (C)a : (C)b;
}
template <class A, class B>
inline Common<A, B> max(A a, B b) {
  typedef Common<A, B> C;
  if constexpr (std::is_floating_point<C>::value) return std::fmax((C)a, (C)b);
  else return (C)a > (C)b ? (C)a : (C)b;
}

#include "cuda_math.h"
