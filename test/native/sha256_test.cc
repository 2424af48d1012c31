#include "sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#if defined(EBS_TEST_HAS_OPENSSL)
#include <openssl/sha.h>
#endif

#include "sizes.h"
#include "support/fenced_memory.h"
#include "support/nist_vectors.h"
#include "support/seeded_random.h"

namespace ebs {
namespace {

using Digest = std::array<uint8_t, kDigestSize>;

Digest Hash(const Sha256Kernel& kernel, const uint8_t* message, size_t size) {
  Digest digest;
  Sha256(kernel, {&message, 1}, size, digest.data());
  return digest;
}

std::string HashToHex(const Sha256Kernel& kernel, const std::vector<uint8_t>& message) {
  return ToHex(Hash(kernel, message.data(), message.size()).data(), kDigestSize);
}

std::vector<uint8_t> Text(const std::string& text) { return {text.begin(), text.end()}; }

// Someone else's SHA-256; where it is not linked, the kernel that runs everywhere, which NIST's
// vectors hold against the standard.
Digest Reference(const uint8_t* message, size_t size) {
#if defined(EBS_TEST_HAS_OPENSSL)
  Digest digest;
  SHA256(message, size, digest.data());
  return digest;
#else
  return Hash(Sha256Kernels().back(), message, size);
#endif
}

class Sha256Test : public testing::TestWithParam<Sha256Kernel> {};

TEST_P(Sha256Test, HashesNistsMessages) {
  size_t count = 0;
  for (const char* file_name : {"SHA256ShortMsg.rsp", "SHA256LongMsg.rsp"}) {
    for (const NistVector& vector : ReadMessageVectors(file_name)) {
      EXPECT_EQ(HashToHex(GetParam(), vector.message), vector.digest)
          << vector.message.size() << " bytes of " << file_name;
      count++;
    }
  }
  EXPECT_EQ(count, 65u + 64u);
}

// The Secure Hash Algorithm Validation System, section 6.4.
TEST_P(Sha256Test, PassesNistsMonteCarloTest) {
  NistMonteCarlo expected = ReadMonteCarlo("SHA256Monte.rsp");
  ASSERT_EQ(expected.digests.size(), 100u);
  std::vector<uint8_t> seed = expected.seed;
  for (const std::string& digest : expected.digests) {
    std::vector<uint8_t> message;
    for (int i = 0; i < 3; i++) message.insert(message.end(), seed.begin(), seed.end());
    for (int i = 0; i < 1000; i++) {
      Digest next = Hash(GetParam(), message.data(), message.size());
      message.erase(message.begin(), message.begin() + kDigestSize);
      message.insert(message.end(), next.begin(), next.end());
    }
    seed.assign(message.end() - kDigestSize, message.end());
    ASSERT_EQ(ToHex(seed.data(), seed.size()), digest);
  }
}

// The examples that go with FIPS 180-4, and of NIST's additional ones those of a megabyte at most.
TEST_P(Sha256Test, HashesTheExamplesOfTheStandard) {
  const std::vector<std::pair<std::vector<uint8_t>, std::string>> examples = {
      {Text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {Text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {Text("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
            "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::vector<uint8_t>(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
      {{0xbd}, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
      {{0xc9, 0x8c, 0x8e, 0x55},
       "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
      {std::vector<uint8_t>(55),
       "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
      {std::vector<uint8_t>(56),
       "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
      {std::vector<uint8_t>(57),
       "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
      {std::vector<uint8_t>(64),
       "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
      {std::vector<uint8_t>(1000),
       "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
      {std::vector<uint8_t>(1000, 0x41),
       "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"},
      {std::vector<uint8_t>(1005, 0x55),
       "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0"},
      {std::vector<uint8_t>(1'000'000),
       "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025"},
  };
  for (const auto& [message, digest] : examples) {
    EXPECT_EQ(HashToHex(GetParam(), message), digest) << message.size() << " bytes";
  }
}

TEST_P(Sha256Test, AgreesWithTheReferenceOnAnyLengthAlignmentAndNumberOfMessages) {
  SCOPED_TRACE(TestSeed());
  SeededRandom random(TestSeed());
  std::vector<uint8_t> noise(1 << 16);
  random.Fill(noise);
  for (int trial = 0; trial < 10'000; trial++) {
    size_t size = random.Below(trial % 10 == 0 ? 9000 : 300);
    std::vector<const uint8_t*> messages(1 + random.Below(5));
    for (auto& message : messages) message = noise.data() + random.Below(noise.size() - size);
    std::vector<Digest> digests(messages.size());
    Sha256(GetParam(), messages, size, digests[0].data());
    for (size_t i = 0; i < messages.size(); i++) {
      ASSERT_EQ(digests[i], Reference(messages[i], size))
          << "message " << i << " of " << messages.size() << ", " << size << " bytes at "
          << messages[i] - noise.data();
    }
  }
}

TEST_P(Sha256Test, HashesBlocks) {
  std::vector<uint8_t> blocks(2 * kBlockSize);
  SeededRandom(TestSeed()).Fill(blocks);
  const uint8_t* messages[] = {blocks.data(), blocks.data() + kBlockSize};
  Digest digests[2];
  Sha256(GetParam(), messages, kBlockSize, digests[0].data());
  for (int i = 0; i < 2; i++) EXPECT_EQ(digests[i], Reference(messages[i], kBlockSize));
}

TEST_P(Sha256Test, ReadsNotOneByteBesideTheMessages) {
  FencedMemory memory(1);
  SeededRandom(TestSeed()).Fill({memory.begin(), memory.size()});
  for (size_t size = 0; size <= 300; size++) {
    const uint8_t* messages[] = {memory.end() - size, memory.begin()};
    Digest digests[2];
    Sha256(GetParam(), messages, size, digests[0].data());
    for (int i = 0; i < 2; i++) ASSERT_EQ(digests[i], Reference(messages[i], size)) << size;
  }
}

TEST_P(Sha256Test, WritesNotOneByteBesideTheDigests) {
  const uint8_t message[1] = {7};
  for (size_t count = 1; count <= 5; count++) {
    std::vector<const uint8_t*> messages(count, message);
    std::vector<uint8_t> digests((count + 2) * kDigestSize, 0xee);
    Sha256(GetParam(), messages, 1, digests.data() + kDigestSize);
    auto is_untouched = [](uint8_t byte) { return byte == 0xee; };
    EXPECT_TRUE(std::all_of(digests.begin(), digests.begin() + kDigestSize, is_untouched));
    EXPECT_TRUE(std::all_of(digests.end() - kDigestSize, digests.end(), is_untouched));
  }
}

TEST_P(Sha256Test, ComesToTheSameInSteps) {
  std::vector<uint8_t> message(7 * kSha256ChunkSize);
  SeededRandom(TestSeed()).Fill(message);
  for (size_t lanes = 1; lanes <= GetParam().lanes; lanes++) {
    Sha256State at_once[kSha256LanesMax] = {}, in_steps[kSha256LanesMax] = {};
    std::vector<const uint8_t*> start(lanes, message.data());
    std::vector<const uint8_t*> rest(lanes, message.data() + 3 * kSha256ChunkSize);
    GetParam().compress(at_once, start.data(), lanes, 7);
    GetParam().compress(in_steps, start.data(), lanes, 3);
    GetParam().compress(in_steps, rest.data(), lanes, 4);
    for (size_t lane = 0; lane < lanes; lane++) {
      for (int i = 0; i < 8; i++) EXPECT_EQ(at_once[lane].words[i], in_steps[lane].words[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Sha256Test,
                         testing::ValuesIn(Sha256Kernels().begin(), Sha256Kernels().end()),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Sha256Kernels, EndWithThePortableOneAndTakeNoMoreThanTheMost) {
  EXPECT_STREQ(Sha256Kernels().back().name, "portable");
  for (const Sha256Kernel& kernel : Sha256Kernels()) {
    EXPECT_GE(kernel.lanes, 1u);
    EXPECT_LE(kernel.lanes, kSha256LanesMax);
  }
}

}  // namespace
}  // namespace ebs
