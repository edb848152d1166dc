// Drives an engine that Verilator compiled: module `engine` with streams program, i and o.
//
//     engine I_STALL O_STALL SEED HANG_CYCLES
//
// Stalls are in percent of the cycles. Standard input has one item a line, done one after the other:
//
//     P LAST COUNT WORDS..   a packet to the stream program; LAST is 1 where its last word closes it
//     F LAST COUNT WORDS..   a packet to the stream i
//     A COUNT                waits until so many answers have come in all
//     C COUNT                waits so many cycles
//
// Numbers are hexadecimal. Standard output gets a line for each event: `i CYCLE` when the first word of a packet to i is
// taken, `o CYCLE WORD LAST` for each word of an answer, `s CYCLE STOPPED REFUSED` after each item, and `hang CYCLE` if
// nothing moved for HANG_CYCLES, which ends the program. A beat that is withdrawn or changes before it is taken is told
// as `broken CYCLE`.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "Vengine.h"

// Verilator writes the second of two underscores as its code.
#define PORT(stream, part) engine->stream##___05F##part

namespace {

Vengine* engine;
std::mt19937 source;
unsigned i_stall, o_stall;
long long cycle = 0, idle = 0, answers = 0, hang_cycles = 0;
bool held = false;
uint64_t held_payload = 0;

bool stalls(unsigned percent) { return percent && source() % 100 < percent; }

// One cycle; whatever is offered on the way in is set before. False if the engine hangs.
bool step() {
    PORT(o, ready) = !stalls(o_stall);
    engine->clk = 0;
    engine->eval();
    const bool moved = (PORT(program, valid) && PORT(program, ready)) || (PORT(i, valid) && PORT(i, ready));
    const uint64_t payload = uint64_t(PORT(o, payload));
    if (held && (!PORT(o, valid) || payload != held_payload)) std::printf("broken %llx\n", cycle);
    held = PORT(o, valid) && !PORT(o, ready);
    held_payload = payload;
    if (PORT(o, valid) && PORT(o, ready)) {
        const bool last = payload >> LANES & 1;
        std::printf("o %llx %llx %d\n", cycle, (unsigned long long)(payload & ((1ull << LANES) - 1)), last);
        answers += last;
        idle = 0;
    }
    if (moved) idle = 0;
    engine->clk = 1;
    engine->eval();
    ++cycle;
    if (++idle <= hang_cycles) return true;
    std::printf("hang %llx\n", cycle);
    return false;
}

template <typename Valid, typename Payload, typename Ready>
bool send(Valid& valid, Payload& payload, const Ready& ready, bool last, const std::vector<uint64_t>& words, bool tell) {
    for (size_t k = 0; k < words.size(); ++k) {
        while (stalls(i_stall)) {
            valid = 0;
            if (!step()) return false;
        }
        valid = 1;
        payload = words[k] | uint64_t(last && k + 1 == words.size()) << LANES;
        for (bool taken = false; !taken;) {
            engine->clk = 0;
            engine->eval();
            taken = ready;
            if (taken && tell && k == 0) std::printf("i %llx\n", cycle);
            if (!step()) return false;
        }
    }
    valid = 0;
    return true;
}

bool item(char kind) {
    unsigned long long count = 0, last = 0;
    if (kind == 'P' || kind == 'F') {
        if (std::scanf("%llx %llx", &last, &count) != 2) return false;
        std::vector<uint64_t> words(count);
        for (auto& word : words) {
            unsigned long long value;
            if (std::scanf("%llx", &value) != 1) return false;
            word = value;
        }
        return kind == 'P' ? send(PORT(program, valid), PORT(program, payload), PORT(program, ready), last, words, false)
                           : send(PORT(i, valid), PORT(i, payload), PORT(i, ready), last, words, true);
    }
    if (std::scanf("%llx", &count) != 1) return false;
    if (kind == 'A') {
        while (answers < (long long)count) {
            if (!step()) return false;
        }
        return true;
    }
    for (; count; --count) {
        idle = 0;
        if (!step()) return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    i_stall = std::atoi(argv[1]);
    o_stall = std::atoi(argv[2]);
    source.seed(std::atoi(argv[3]));
    hang_cycles = std::atoll(argv[4]);
    VerilatedContext context;
    Vengine instance{&context};
    engine = &instance;
    engine->rst = 1;
    for (int k = 0; k < 8; ++k) {
        engine->clk = k & 1;
        engine->eval();
    }
    engine->rst = 0;
    for (char kind; std::scanf(" %c", &kind) == 1;) {
        if (!item(kind)) break;
        std::printf("s %llx %d %d\n", cycle, engine->stopped, engine->refused);
    }
    engine->final();
    return 0;
}
