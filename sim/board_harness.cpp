// Stands in for the oscillator and the serial line of a board whose design Verilator compiled: module `board` with the
// ports clk, rx and tx.
//
//     board BIT_CYCLES QUIET_CYCLES REPORTS
//
// Standard input has the levels of the line into the board: a byte, 0 or 1, for the time of each bit, BIT_CYCLES clock
// cycles. Between them the line is high. Standard output gets the bytes that the board sends. The program ends with its
// standard input, and says on standard error how many cycles it simulated.
//
// When nothing has happened for QUIET_CYCLES and no levels wait, the clock stands still, and the file number REPORTS gets
// how many levels were taken so far, as 8 bytes in this machine's order: what the board has to say to them is said.

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "Vboard.h"

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const long bit_cycles = std::atol(argv[1]), quiet_cycles = std::atol(argv[2]);
    const int reports = std::atoi(argv[3]);
    VerilatedContext context;
    Vboard board{&context};

    unsigned char levels[4096];
    ssize_t next = 0, count = 0;      // of the levels
    long quiet = 0;                   // cycles since something happened on one of the lines
    unsigned long long cycles = 0, taken = 0;
    bool reported = false;            // that the clock stands still
    long middle = 0;                  // cycles until the middle of the next bit that the board sends; 0 between bytes
    int bit = 0;                      // its number: 0 to 7 are the byte's, 8 is the stop bit
    unsigned char byte = 0;

    for (;;) {
        if (next == count) {
            // Where nothing is going to happen any more, the clock stands still until the host sends something.
            pollfd input{STDIN_FILENO, POLLIN, 0};
            int waiting = poll(&input, 1, 0);
            if (waiting == 0 && quiet >= quiet_cycles) {
                // A host that does not care may leave the pipe full: it does not miss a report.
                if (!reported && write(reports, &taken, sizeof taken) < 0) {}
                reported = true;
                waiting = poll(&input, 1, -1);
            }
            if (waiting > 0) {
                reported = false;
                next = 0;
                count = read(STDIN_FILENO, levels, sizeof levels);
                if (count <= 0) break;
            }
        }
        quiet += bit_cycles;
        board.rx = 1;
        if (next < count) {
            board.rx = levels[next++];
            ++taken;
            quiet = 0;
        }
        for (long k = 0; k < bit_cycles; ++k) {
            board.clk = 1;
            board.eval();
            board.clk = 0;
            board.eval();
            ++cycles;
            if (middle == 0) {
                if (board.tx) continue;
                // The start bit began: the middle of the first bit is one and a half bits away.
                middle = bit_cycles + bit_cycles / 2;
                bit = byte = 0;
            } else if (--middle == 0) {
                quiet = 0;
                if (bit < 8) {
                    byte |= board.tx << bit++;
                    middle = bit_cycles;
                } else if (!board.tx) {
                    std::fputs("the board sent a byte without a stop bit\n", stderr);
                    return 1;
                } else if (write(STDOUT_FILENO, &byte, 1) != 1) {
                    return 1;
                }
            }
        }
    }
    board.final();
    std::fprintf(stderr, "%llu\n", cycles);
    return 0;
}
